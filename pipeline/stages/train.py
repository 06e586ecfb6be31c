"""train@model: data/curated and data/features/<set> → data/models/<model>."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pipeline import artifact
from pipeline.errors import PipelineError
from pipeline.fingerprint import fingerprint
from pipeline.models.options import ModelOptions
from pipeline.params import Params
from pipeline.parts import Summary, manifest_digest
from pipeline.registry import load

TRAINABLE = ("binary", "multiclass", "ordinal")


def run(params: Params, name: str, root: Path = Path("data")) -> Summary:
    """Train one model; nothing if neither its options nor its inputs changed.

    Raises
    ------
    PipelineError
        A task is of a kind that no head is for, or there is nothing to learn from.
    """
    options = params.models[name]
    sets = {one: params.features[one].modality for one in options.features}
    for task in options.tasks:
        if params.targets[task] not in TRAINABLE:
            raise PipelineError(
                f"models.{name}.tasks.{task}: a target of kind {params.targets[task]} cannot be "
                f"learnt yet; there are: {', '.join(TRAINABLE)}"
            )
    out = root / "models" / name
    inputs = {
        "curated": manifest_digest(root / "curated"),
        **{f"features/{one}": manifest_digest(root / "features" / one) for one in sets},
    }
    made = artifact.build(
        out,
        fingerprint(
            "train",
            ["pipeline.models.saving", load("models/fusion", options.fusion).__name__],
            {
                "model": options.model_dump(mode="json"),
                "tasks": list(options.tasks),
                "modalities": sets,
                "seed": params.seed,
            },
        ),
        inputs,
        lambda folder: _make(folder, options, sets, params.seed, root, inputs),
    )
    samples = json.loads((out / "model.json").read_text(encoding="utf-8"))["samples"]
    unseen = sum(split["unseen"] for split in samples.values())
    return Summary(
        planned=1,
        reused=int(not made),
        computed=int(made),
        rows=sum(split["seen"] for split in samples.values()),
        rejected=unseen,
        reasons={"no_modality": unseen} if unseen else {},
    )


def _make(
    folder: Path,
    options: ModelOptions,
    sets: Mapping[str, str],
    seed: int,
    root: Path,
    inputs: Mapping[str, str],
) -> None:
    from pipeline.device import torch_device
    from pipeline.models.examples import classes_of, examples
    from pipeline.models.saving import save
    from pipeline.models.training import train
    from pipeline.store.join import join

    views = [join(root, sets, view) for view in range(options.views + 1)]
    classes = classes_of(views[0], list(options.tasks))
    whole = examples(views, sets, classes)
    training = whole.take(views[0].split == "train")
    validation = whole.take(views[0].split == "validation", views=1)
    device = torch_device(options.device)
    trained = train(training, validation, classes, options, seed, device)
    samples = {
        name: {
            "seen": int(some.seen.sum()),
            "unseen": int((~some.seen).sum()),
        }
        for name, some in (("train", training), ("validation", validation))
    }
    about = {"samples": samples, "seed": seed, "inputs": dict(inputs)}
    save(folder, trained, whole.sets, classes, options, about)
