"""train@model: data/curated and data/features/<set> → data/models/<model>."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.artifact import Plan
from pipeline.errors import PipelineError
from pipeline.fingerprint import fingerprint
from pipeline.manifest import manifest_digest
from pipeline.models.options import TASKS, TRAINABLE
from pipeline.params import Params
from pipeline.parts import Summary
from pipeline.registry import locate
from pipeline.work.train import make


def plan(params: Params, name: str, root: Path = Path("data")) -> Plan:
    """Train one model; nothing if neither its options nor its inputs changed.

    Raises
    ------
    PipelineError
        A task is of a kind that no head is for, or there is nothing to learn from.
    """
    options = params.models[name]
    kinds = {task: params.targets[task] for task in options.tasks}
    sets = {one: params.features[one].modality for one in options.features}
    for task, kind in kinds.items():
        if kind not in TRAINABLE:
            raise PipelineError(
                f"models.{name}.tasks.{task}: a target of kind {kind} cannot be learnt yet; "
                f"there are: {', '.join(TRAINABLE)}"
            )
    options = options.as_kinds(kinds)
    out = root / "models" / name
    inputs = {
        "curated": manifest_digest(root / "curated"),
        **{f"features/{one}": manifest_digest(root / "features" / one) for one in sets},
    }
    return Plan(
        out,
        fingerprint(
            "train",
            [
                "pipeline.work.train",
                locate("models/fusion", options.fusion),
                *sorted({locate(TASKS, task.kind) for task in options.tasks.values()}),
            ],
            {
                "model": options.model_dump(mode="json"),
                "tasks": list(options.tasks),
                "modalities": sets,
                "seed": params.seed,
            },
            device=options.device,
        ),
        inputs,
        lambda folder: make(folder, options, sets, params.seed, root, inputs),
        lambda: _count(out),
    )


def _count(out: Path) -> Summary:
    """Samples that were learnt from or stopped by, and those in which the model sees nothing."""
    samples = json.loads((out / "model.json").read_text(encoding="utf-8"))["samples"]
    unseen = sum(split["unseen"] for split in samples.values())
    return Summary(
        rows=sum(split["seen"] for split in samples.values()),
        rejected=unseen,
        reasons={"no_modality": unseen} if unseen else {},
    )
