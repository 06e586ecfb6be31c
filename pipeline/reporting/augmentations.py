"""The augmentation sheet: originals beside the views that training saw."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pipeline.core.folders import AUGMENTED
from pipeline.modalities import augmentation_of
from pipeline.parts import manifest
from pipeline.reporting.content import make_card, unpack_contents
from pipeline.reporting.format import humanize
from pipeline.reporting.inputs import Absent, ReportInputs
from pipeline.reporting.options import ReportOptions
from pipeline.reporting.sampling import by_digest, pick_diverse


def build(inputs: ReportInputs, options: ReportOptions) -> dict[str, Any] | Absent:
    strips = [strip for name in inputs.modalities if (strip := _strip(inputs, name, options))]
    if not strips:
        return Absent("No modality has augmented views.")
    return {"strips": strips}


def _strip(inputs: ReportInputs, modality: str, options: ReportOptions) -> dict[str, Any] | None:
    """A few of a modality's assets with their first views."""
    stage = inputs.stage(f"{AUGMENTED}/{modality}")
    if stage is None or stage.rows == 0:
        return None
    recipes: dict[str, dict[int, str]] = {}
    for row in manifest.read(stage.out, columns=["digest", "view", "recipe"]).to_pylist():
        recipes.setdefault(row["digest"], {})[row["view"]] = row["recipe"]
    digests = _choose(inputs, modality, recipes, options.sheet)
    apply = augmentation_of(modality).apply
    rows = []
    originals = unpack_contents(inputs, modality, digests)
    for digest in digests:
        original = make_card(modality, originals[digest], options) if digest in originals else None
        if original is None:
            continue
        views = []
        for view, text in sorted(recipes[digest].items())[: options.views]:
            recipe = json.loads(text)
            augmented = make_card(modality, apply(originals[digest], recipe), options)
            views.append({"view": view, "shown": augmented, "steps": [_step(op) for op in recipe]})
        rows.append({"digest": digest, "original": original, "views": views})
    if not rows:
        return None
    most = max(len(views) for views in recipes.values())
    return {"modality": modality, "rows": rows, "assets": len(recipes), "views": most}


def _choose(inputs: ReportInputs, modality: str, digests: Iterable[str], most: int) -> list[str]:
    """Assets of training samples, of different components and kinds, in digest order."""
    first_row: dict[str, dict[str, Any]] = {}
    for row in inputs.curated:
        if row["split"] == "train" and row.get(modality):
            first_row.setdefault(row[modality], row)
    candidates = sorted((d for d in digests if d in first_row), key=by_digest)
    owner = {digest: first_row[digest]["component"] for digest in candidates}
    kinds = {digest: first_row[digest]["kinds"] for digest in candidates}
    return pick_diverse(candidates, owner, kinds, most)


def _step(operation: dict[str, Any]) -> tuple[str, str]:
    """One operation of a recipe in words: ("rotate", "degrees 7.25")."""
    settings = [
        f"{humanize(key)} {_short(value)}"
        for key, value in operation.items()
        if key not in {"op", "seed"}
    ]
    return humanize(str(operation["op"])), ", ".join(settings)


def _short(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
