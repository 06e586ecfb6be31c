"""What each section of the page of a compressed model shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.files.documents import document
from pipeline.models.tasks import ranked_by
from pipeline.reporting.format import points
from pipeline.reporting.gallery import media_of, sample_card
from pipeline.reporting.inputs import Absent, EvaluatedModel, ReportInputs
from pipeline.reporting.options import ReportOptions
from pipeline.reporting.plots.rows import axis, effect
from pipeline.reporting.plots.scale import nice_scale

POINT = 0.01
WAYS = {"distil": "distilled", "prune": "pruned", "quantise": "in whole numbers of 8 bits"}


@dataclass(frozen=True)
class CompressionData:
    """What the page is made of: the certificate, both models' tables, and where samples are."""

    certificate: Mapping[str, Any]
    compressed: EvaluatedModel
    model: EvaluatedModel
    inputs: ReportInputs
    options: ReportOptions

    @property
    def primary(self) -> Mapping[str, Any]:
        """The comparison in the task by which the certificate is given."""
        tasks: Sequence[Mapping[str, Any]] = self.certificate["tasks"]
        return next(each for each in tasks if each["task"] == self.certificate["primary"])


def read_certificate(folder: Path) -> dict[str, Any]:
    """What pipeline.stages.work.compress wrote."""
    return document(folder / "certificate.json", dict[str, Any])


def summary(data: CompressionData) -> dict[str, Any]:
    """The figures of the opening."""
    sizes = data.certificate["sizes"]
    return {
        **data.certificate,
        "name": data.compressed.name,
        "did": [WAYS[way] for way in data.certificate["ways"]],
        "judged": data.primary,
        "smaller": sizes["model"]["bytes"] / sizes["compressed"]["bytes"],
    }


def certificate(data: CompressionData) -> dict[str, Any]:
    """Each task's difference with its interval, beside the margin."""
    margin = data.certificate["margin"] * POINT
    bounds = [each[end] for each in data.certificate["tasks"] for end in ("low", "high")]
    scale = nice_scale([0.0, -margin, *(bound for bound in bounds if bound is not None)])
    rows = [
        {
            **each,
            "judged": each["task"] == data.certificate["primary"],
            "title": _title(data, each["task"]),
            "share": _share(data, each["task"]),
            "plot": ""
            if each["low"] is None
            else effect(each["difference"], each["low"], each["high"], scale, _mark(each, margin),
                        -margin),
        }
        for each in data.certificate["tasks"]
    ]  # fmt: skip
    return {**data.certificate, "axis": axis(scale, points), "rows": rows}


def figures(data: CompressionData) -> dict[str, Any] | Absent:
    """All figures of the test split, side by side."""
    tasks = []
    for task, splits in data.compressed.tasks.items():
        learned, before = data.compressed.task(task), data.model.tasks.get(task, {}).get("test", {})
        rows = [
            {"title": kind.title, "share": kind.share, "after": figure, "before": before.get(name)}
            for name, kind in learned.FIGURES.items()
            if (figure := splits.get("test", {}).get(name))
        ]
        if rows:
            tasks.append({"task": task, "rows": rows})
    return {"tasks": tasks} if tasks else Absent("The test split has no figures.")


def slices(data: CompressionData) -> dict[str, Any] | Absent:
    """The first figure by slice and by what is seen, the greatest loss first."""
    panels = []
    for task in data.compressed.tasks:
        figure = ranked_by(data.compressed.task(task))
        for table, title, keys in (
            ("subsets", "By the modalities that are seen", ("kind", "subset")),
            ("groups", "By slice", ("attribute", "value")),
        ):
            rows = list(_compared(data, table, task, figure, keys))
            if rows:
                rows.sort(key=lambda row: (row["after"] - row["before"], row["name"]))
                panels.append({"task": task, "title": title, "figure": figure, "rows": rows})
    return {"panels": panels} if panels else Absent("The test split has no slices.")


def changed(data: CompressionData) -> dict[str, Any] | Absent:
    """Test samples of the primary task that are answered otherwise, to look at."""
    every = data.compressed.table("changed")
    primary = [row for row in every if row["task"] == data.certificate["primary"]]
    rows = [row for row in primary if row["sample_id"] in data.inputs.by_id]
    if not rows:
        return Absent("No answer to a test sample changed.")
    # Answers that became wrong first, of those the surest.
    rows.sort(key=lambda row: (_verdict(row) != "lost", -float(row["after_sure"]),
                               row["sample_id"]))  # fmt: skip
    verdicts = [_verdict(row) for row in primary]
    pictured = rows[: data.options.gallery]
    media = media_of(data.inputs, {row["sample_id"] for row in pictured}, data.options)
    return {
        "task": data.certificate["primary"],
        "samples": data.primary["samples"],
        "total": len(primary),
        "lost": verdicts.count("lost"),
        "won": verdicts.count("won"),
        "cards": [
            {
                **sample_card(data.inputs, row["sample_id"], media),
                "row": row,
                "verdict": _verdict(row),
                "before_sure": float(row["before_sure"]),
                "after_sure": float(row["after_sure"]),
            }
            for row in pictured
        ],
    }


def _compared(
    data: CompressionData, table: str, task: str, figure: str, keys: tuple[str, str]
) -> Iterator[dict[str, Any]]:
    """Rows of both models' tables of the test split that are of the same samples."""
    before = {
        tuple(row[key] for key in keys): row.get(figure)
        for row in data.model.table(table)
        if (row["task"], row["split"]) == (task, "test")
    }
    for row in data.compressed.table(table):
        place = tuple(row[key] for key in keys)
        if (row["task"], row["split"]) == (task, "test") and row.get(figure) and before.get(place):
            yield {
                "name": ": ".join(place),
                "n": int(float(row["n"])),
                "after": float(row[figure]),
                "before": float(before[place] or 0),
            }


def _verdict(row: Mapping[str, str]) -> str:
    if not row["truth"]:
        return "unknown"
    if row["before"] == row["truth"]:
        return "lost"
    return "won" if row["after"] == row["truth"] else "still wrong"


def _mark(each: Mapping[str, Any], margin: float) -> str:
    return "gain" if each["low"] > -margin else "loss"


def _title(data: CompressionData, task: str) -> str:
    learned = data.compressed.task(task)
    return learned.FIGURES[ranked_by(learned)].title


def _share(data: CompressionData, task: str) -> bool:
    learned = data.compressed.task(task)
    return learned.FIGURES[ranked_by(learned)].share
