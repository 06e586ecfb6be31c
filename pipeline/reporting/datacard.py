"""The data card: what there is, where it went, and how it is spread."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from pipeline.core.folders import CLEAN, CURATE_COUNTS, INGEST_COUNTS
from pipeline.core.records import SPLITS
from pipeline.modalities import cleaning_of
from pipeline.models.tasks import task_of
from pipeline.parts import manifest
from pipeline.reporting.inputs import Absent, ReportInputs
from pipeline.reporting.options import ReportOptions
from pipeline.reporting.plots.rows import stack

RARE = 30


def build(inputs: ReportInputs, options: ReportOptions) -> dict[str, Any] | Absent:
    if not inputs.stages:
        return Absent("No stage has finished yet.")
    rows = inputs.curated
    return {
        "stages": inputs.stages,
        "cut": [cut for modality in inputs.modalities if (cut := _cut(inputs, modality))],
        "splits": [
            {
                "name": split,
                "samples": len(in_split),
                "groups": len({row["group"] for row in in_split}),
                "components": len({row["component"] for row in in_split}),
            }
            for split in (*SPLITS, *sorted({row["split"] for row in rows} - {*SPLITS}))
            if (in_split := [row for row in rows if row["split"] == split])
        ],
        "warnings": inputs.counts(CURATE_COUNTS).get("warnings", []),
        "total": {
            "samples": len(rows),
            "groups": len({row["group"] for row in rows}),
            "components": len({row["component"] for row in rows}),
        },
        "presence": _presence(inputs),
        "licences": _count_values(row["licence"] or "not stated" for row in rows),
        "origins": _count_values(f"{row['source']} / {row['batch']}" for row in rows),
        "spreads": _spreads(inputs),
        "batches": [
            (f"{source} / {batch}", counts)
            for source, batches in inputs.counts(INGEST_COUNTS).items()
            for batch, counts in batches.items()
        ],
        "alike": _alike(inputs),
        "set_aside": [
            (target, name, counts)
            for target, classes in inputs.counts(CURATE_COUNTS).get("set_aside", {}).items()
            for name, counts in classes.items()
        ],
        "ties": [
            (modality, how, n)
            for modality, kinds in inputs.counts(CURATE_COUNTS).get("ties", {}).items()
            for how, n in kinds.items()
        ],
        "largest": inputs.counts(CURATE_COUNTS).get("largest", []),
    }


def _cut(inputs: ReportInputs, modality: str) -> tuple[str, int, int] | None:
    """(stage, assets of which cleaning cut off more than half, assets), if there are such."""
    stage, columns = inputs.stage(f"{CLEAN}/{modality}"), cleaning_of(modality).CUT
    if stage is None or columns is None or not stage.rows:
        return None
    lost, whole = manifest.read(stage.out, columns).select(columns).columns
    n = int(np.count_nonzero(2 * lost.to_numpy() > whole.to_numpy()))
    return (stage.name, n, stage.rows) if n else None


def _alike(inputs: ReportInputs) -> list[tuple[str, list[str]]]:
    """(what, names as Python spells them) of what may be one: see pipeline/core/identity.py."""
    names_by_kind = {
        (
            f"groups of {source}" if column == "group" else column.removeprefix("target."),
            tuple(names),
        )
        for source, batches in inputs.counts(INGEST_COUNTS).items()
        for counts in batches.values()
        for column, several in counts.get("alike", {}).items()
        for names in several
    }
    return [(what, [repr(name) for name in names]) for what, names in sorted(names_by_kind)]


def _presence(inputs: ReportInputs) -> list[tuple[list[str], int, float]]:
    """(modalities, samples, share) for each combination that occurs, commonest first."""
    combinations = Counter(
        tuple(modality for modality in inputs.modalities if row.get(modality))
        for row in inputs.curated
    )
    total = max(1, len(inputs.curated))
    ordered = sorted(combinations.items(), key=lambda item: (-item[1], item[0]))
    return [(list(present), n, n / total) for present, n in ordered]


def _spreads(inputs: ReportInputs) -> list[dict[str, Any]]:
    """For each target of classes, and the attribute language: samples by value and split."""
    columns = {
        name: [row.get(f"target.{name}") for row in inputs.curated]
        for name, kind in inputs.targets.items()
        if not task_of(kind).NUMBER and not task_of(kind).SEQUENCE
    }
    if "language" not in columns:
        columns["language"] = [row["attributes"].get("language") for row in inputs.curated]
    splits = [row["split"] for row in inputs.curated]
    spreads = []
    for name, values in columns.items():
        counts = Counter(zip(values, splits, strict=True))
        totals = Counter(value for value in values if value is not None)
        if not totals:
            continue
        most = max(totals.values())
        ordered = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
        spreads.append(
            {
                "name": name,
                "classes": len(totals),
                "missing": sum(value is None for value in values),
                "rows": [
                    {
                        "value": value,
                        "n": n,
                        "by_split": [(split, counts[value, split]) for split in SPLITS],
                        "plot": stack(
                            [(split, counts[value, split] / most) for split in SPLITS],
                            ", ".join(f"{split} {counts[value, split]}" for split in SPLITS),
                        ),
                    }
                    for value, n in ordered[:RARE]
                ],
                "more": ordered[RARE:],
            }
        )
    return spreads


def _count_values(values: Any) -> list[tuple[str, int]]:
    return sorted(Counter(values).items(), key=lambda item: (-item[1], item[0]))
