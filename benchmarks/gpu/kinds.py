"""Models of many kinds trained on the card: near the CPU's, and twice the same bytes.

Every fusion, every tower that reads a sequence and learns from nothing, a CNN over pixels, both
alignments, and a decoder of text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.gpu.step import Setting, run

CLASSES = 4
FRAMES = 12
# Without dropout, whose draws are others on a card.
SMALL = {"width": 16, "dropout": 0.0}
# Feature sets: modality and shape of a row.
SETS = {
    "vectors": ("image", (24,)),
    "pixels": ("image", (24, 72)),  # a row of a picture of 24 pixels, in three colours
    "frames": ("audio", (FRAMES, 16)),
    "words": ("text", (FRAMES, 1)),
}
READERS = ("attention", "convolution", "gru", "linear", "lstm", "transformer")
TOWERS = {
    "frames": {"kind": "attention", "hidden": 16, **SMALL},
    "pixels": {"kind": "cnn", "channels": 3, "filters": 4, "layers": 2, "hidden": 16, **SMALL},
    "words": {"kind": "embedding", "words": 40, "numbers": 8, "reader": {"kind": "gru", **SMALL}},
}
CAPTIONS = ("a red duck", "two blue ducks", "the green house by the sea", "nothing")


def measure(setting: Setting) -> dict[str, Any]:
    figures = {}
    for name, options in _models(setting):
        loss, digest = _train(setting.device, options, setting.quick)
        second_digest = _train(setting.device, options, setting.quick)[1]
        cpu_loss = _train("cpu", options, setting.quick)[0]
        figures[name] = {
            "differs the second time": int(second_digest != digest),
            "first loss, relative difference": abs(loss / cpu_loss - 1),
        }
    return figures


def _models(setting: Setting) -> Iterator[tuple[str, dict[str, Any]]]:
    """A name and the options of each kind of model, those that a quick rehearsal takes."""
    from pydantic import ValidationError

    from pipeline.core import registry
    from pipeline.models.options import ModelOptions

    def usable(options: dict[str, Any]) -> bool:
        try:
            ModelOptions.model_validate(options)
        except ValidationError:
            return False
        return True

    every = ["vectors", "frames", "words"]
    fusions = ["attention", "none"] if setting.quick else registry.names("models/fusion")
    for fusion in fusions:
        options = {"features": every, "fusion": fusion}
        # One that takes a single set, or two of them alone.
        choices = [{**options, "features": every[:count]} for count in (3, 2, 1)]
        yield f"fusion {fusion}", next(filter(usable, map(_options, choices)))
    for kind in () if setting.quick else READERS:
        tower = {"kind": kind, **SMALL}
        reads = {"features": ["frames", "words"], "fusion": "concatenation"}
        towers = {"words": {**TOWERS["words"], "reader": tower}}
        yield f"tower {kind}", _options({**reads, "tower": tower, "towers": towers})
    yield "tower cnn", _options({"features": ["pixels", "vectors"], "fusion": "concatenation"})
    for loss in ("infonce", "sigmoid"):
        aligned = {"alignment": {"loss": loss, "dimension": 8, "reconstruction": 0.5}}
        yield f"alignment {loss}", _options({"features": every, "fusion": "attention", **aligned})
    caption = {
        "kind": "text",
        "vocabulary": 290,
        "hidden": 16,
        "layers": 1,
        "heads": 2,
        "dropout": 0.0,
    }
    tasks = {"caption": {**caption, "longest": 12}}
    captioned = {"features": every, "fusion": "attention", "tasks": tasks, "primary": "caption"}
    yield "target text", _options(captioned)


def _options(given: dict[str, Any]) -> dict[str, Any]:
    from pipeline.models.fusion import fusion_of

    fusion_fields = fusion_of(given["fusion"]).Options.model_fields
    return {
        "tower": SMALL,
        "fusion_options": {"dropout": 0.0} if "dropout" in fusion_fields else {},
        "tasks": {"kind": {"classes": "as_is"}},
        "primary": "kind",
        "batch_size": 64,
        "epochs": 2,
        "towers": {name: TOWERS[name] for name in given["features"] if name in TOWERS},
        **given,
    }


def _train(device: str, given: dict[str, Any], quick: bool) -> tuple[float, str]:
    """The first epoch's loss, and the digest of the weights."""
    from pipeline.core.machine.device import torch_device
    from pipeline.models.options import ModelOptions
    from pipeline.models.task_options import task_options
    from pipeline.models.tasks import text
    from pipeline.models.training.loop import train

    options = ModelOptions.model_validate({**given, "device": device})
    classes = {"kind": [str(kind) for kind in range(CLASSES)]}
    if "caption" in options.tasks:
        classes = {"caption": text.classes(CAPTIONS, task_options(given["tasks"]["caption"]))}
    count = 64 if quick else 512
    made = [
        _examples(rows, seed, options, classes) for seed, rows in enumerate((count, count // 4))
    ]
    trained = train(*made, classes, options, 0, torch_device(device))
    digest = hashlib.sha256()
    for value in trained.network.to("cpu").state_dict().values():
        digest.update(value.numpy().tobytes())
    return trained.curves[0][f"train/{options.primary}/loss"], digest.hexdigest()


def _examples(count: int, seed: int, options: Any, classes: dict[str, list[str]]) -> Any:
    """Of the sets that a model reads, which show the class through noise."""
    from pipeline.models.examples import Examples, FeatureSpec
    from pipeline.models.tasks import text

    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, CLASSES, count)
    values = {}
    for name in options.features:
        shape = SETS[name][1]
        noise = rng.normal(size=(1, count, *shape)) + kinds.reshape(-1, *[1] * len(shape))
        if name == "words":
            noise = rng.integers(1, 12, (1, count, *shape)) * CLASSES + kinds[:, None, None]
        values[name] = noise.astype(np.float32)
    full = {name: SETS[name][1][0] if len(SETS[name][1]) == 2 else 1 for name in values}
    least = {name: longest if name == "pixels" else 1 for name, longest in full.items()}
    targets = {"kind": kinds}
    if "caption" in classes:
        targets = {"caption": text.encode([CAPTIONS[i] for i in kinds], classes["caption"])}
    return Examples(
        sets=tuple(FeatureSpec(name, *SETS[name]) for name in values),
        values=values,
        lengths={
            name: rng.integers(least[name], longest + 1, (1, count)).astype(np.int32)
            for name, longest in full.items()
        },
        present=rng.random((count, len(values))) < 0.9,
        targets=targets,
        component=np.arange(count).astype(str),
        sample_ids=np.arange(count).astype(str),
    )


if __name__ == "__main__":
    run(measure)
