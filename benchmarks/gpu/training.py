"""A training on the card: near the CPU's, the same bytes after a kill, and examples a second."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gpu.step import Setting, run

SETS = {"pictures": ("image", 1280), "voices": ("audio", 128), "words": ("text", 384)}
CLASSES = 7


def measure(setting: Setting) -> dict[str, Any]:
    cpu = _train(setting, "cpu", "float32", epochs=1)
    card = _train(setting, setting.device, "float32")
    return {
        "examples/s on one CPU thread": cpu["examples/s"],
        "examples/s": card["examples/s"],
        "examples/s of resident batches": _resident(setting),
        "first loss, relative difference": abs(card["loss"] / cpu["loss"] - 1),
        "differs the second time": _differs(card, _train(setting, setting.device, "float32")),
        "differs after a kill": _differs(card, _killed(setting)),
        **{
            f"loss, {precision}": _train(setting, setting.device, precision)["loss"]
            for precision in (("bfloat16", "float16") if setting.on_card else ())
        },
    }


def _differs(one: dict[str, Any], other: dict[str, Any]) -> int:
    return int(one["digest"] != other["digest"])


def _options(setting: Setting, device: str, precision: str) -> Any:
    from pipeline.models.options import ModelOptions

    return ModelOptions.model_validate(
        {
            "features": list(SETS),
            "fusion": "concatenation",
            "tasks": {"kind": {"classes": "as_is"}},
            "primary": "kind",
            "device": device,
            "precision": precision,
            "batch_size": 32 if setting.quick else 1024,
            "epochs": 4,
            "patience": 4,
        }
    )


def _examples(count: int, seed: int) -> Any:
    """Of three feature sets, which show the class through noise."""
    from pipeline.models.examples import Examples, FeatureSpec

    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, CLASSES, count)
    middles = {
        name: np.random.default_rng(width).normal(size=(CLASSES, width))
        for name, (_, width) in SETS.items()
    }
    values = {
        name: (rng.normal(size=(1, count, width)) + middles[name][kinds]).astype(np.float32)
        for name, (_, width) in SETS.items()
    }
    return Examples(
        sets=tuple(
            FeatureSpec(name, modality, (width,)) for name, (modality, width) in SETS.items()
        ),
        values=values,
        lengths={name: np.ones((1, count), np.int32) for name in SETS},
        present=rng.random((count, len(SETS))) < 0.9,
        targets={"kind": kinds},
        component=np.arange(count).astype(str),
        sample_ids=np.arange(count).astype(str),
    )


@cache
def _splits(setting: Setting) -> tuple[Any, Any]:
    count = 300 if setting.quick else 60_000
    return _examples(count, 0), _examples(count // 10, 1)


def _train(
    setting: Setting, device: str, precision: str, snapshots: Any = None, epochs: int | None = None
) -> dict[str, Any]:
    from pipeline.core.machine.device import torch_device
    from pipeline.models.training.loop import train

    trained = train(
        *_splits(setting),
        {"kind": [str(one) for one in range(CLASSES)]},
        _options(setting, device, precision),
        0,
        torch_device(device),
        snapshots,
        epochs=epochs,
    )
    digest = hashlib.sha256()
    for value in trained.network.to("cpu").state_dict().values():
        digest.update(value.numpy().tobytes())
    return {
        "digest": digest.hexdigest(),
        "loss": trained.curves[0]["train/kind/loss"],
        "examples/s": trained.spent["examples_per_second"],
        "resumed": trained.spent["resumed"],
    }


def _killed(setting: Setting) -> dict[str, Any]:
    """Trained by a process that is killed after its second epoch, and by another to the end."""
    from pipeline.models.training.snapshot import Snapshots

    path = setting.work / "snapshot.pt"
    path.unlink(missing_ok=True)
    first = multiprocessing.get_context("spawn").Process(target=_until_killed, args=(setting, path))
    first.start()
    first.join()
    if first.exitcode != -signal.SIGKILL:
        raise RuntimeError(f"the training that was to be killed ended with {first.exitcode}")
    told = _train(setting, setting.device, "float32", Snapshots(path, "key", every_s=0.0))
    if told["resumed"] != 2:
        raise RuntimeError(f"training went on from epoch {told['resumed']} and not from 2")
    return told


def _until_killed(setting: Setting, path: Path) -> None:
    from pipeline.models.training.snapshot import Snapshots

    class Deadly(Snapshots):
        written = 0

        def write(self, state: Callable[[], dict[str, Any]]) -> None:
            super().write(state)
            self.written += 1
            if self.written == 2:
                os.kill(os.getpid(), signal.SIGKILL)

    _train(setting, setting.device, "float32", Deadly(path, "key", every_s=0.0))


def _resident(setting: Setting) -> float:
    """Examples a second where an epoch's batches lie on the device before it begins."""
    from pipeline.models.training import trainer

    made = trainer.microbatches

    def kept(*given: Any) -> Iterator[Any]:
        return iter(list(made(*given)))

    trainer.microbatches = kept
    try:
        rate: float = _train(setting, setting.device, "float32")["examples/s"]
    finally:
        trainer.microbatches = made
    return rate


if __name__ == "__main__":
    run(measure)
