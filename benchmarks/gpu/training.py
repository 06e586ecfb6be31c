"""A training on the card: near the CPU's, the same bytes twice, and how many examples a second."""

from __future__ import annotations

import hashlib
from typing import Any

from benchmarks.gpu.step import Setting, run


def measure(setting: Setting) -> dict[str, Any]:
    found: dict[str, Any] = {}
    first = _train(setting, "cpu", "float32")
    found["cpu"] = first
    again = [_train(setting, setting.device, "float32") for _ in range(2)]
    found["float32"] = again[0]
    found["differs the second time"] = int(again[0]["digest"] != again[1]["digest"])
    found["first loss, relative difference"] = abs(again[0]["loss"] / first["loss"] - 1)
    for precision in ("bfloat16", "float16") if setting.on_card else ():
        found[precision] = _train(setting, setting.device, precision)
    return found


def _train(setting: Setting, device: str, precision: str) -> dict[str, Any]:
    from pipeline.core.machine.device import torch_device
    from pipeline.models.training.loop import train
    from tests.models.synthetic import joined, options, split_of

    chosen = options(epochs=2 if setting.quick else 20, device=device, precision=precision)
    world = joined(subjects=40 if setting.quick else 7000)
    classes = _classes(world, chosen)
    trained = train(
        split_of(world, "train"),
        split_of(world, "validation"),
        classes,
        chosen,
        0,
        torch_device(device),
    )
    digest = hashlib.sha256()
    for value in trained.network.to("cpu").state_dict().values():
        digest.update(value.numpy().tobytes())
    return {
        "digest": digest.hexdigest(),
        "loss": sum(
            value
            for name, value in trained.curves[0].items()
            if name.startswith("train/") and name.endswith("/loss")
        ),
        "examples/s": trained.spent["examples_per_second"],
    }


def _classes(world: Any, options: Any) -> Any:
    from pipeline.models.examples import classes_of

    return classes_of(world, options.tasks)


if __name__ == "__main__":
    run(measure)
