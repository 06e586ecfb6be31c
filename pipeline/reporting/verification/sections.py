"""What each section of the page of a verification shows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.core.files.documents import csv_rows, document
from pipeline.models.verification.figures import ALL
from pipeline.reporting.format import percent
from pipeline.reporting.inputs import Absent, Rows
from pipeline.reporting.plots.detection import det
from pipeline.reporting.plots.rows import axis, whisker
from pipeline.reporting.plots.scale import nice_scale

METHODS = {
    "cosine": "cosine",
    "plda": "PLDA",
    "logistic": "logistic regression on pairs",
}


@dataclass(frozen=True)
class VerificationData:
    """What the stage wrote, as the page reads it."""

    name: str
    folder: Path

    @cached_property
    def protocol(self) -> dict[str, Any]:
        return document(self.folder / "protocol.json", dict[str, Any])

    @property
    def answers(self) -> str:
        return str(self.protocol["answers"])

    @cached_property
    def figures(self) -> dict[tuple[str, int, str], dict[str, dict[str, Any]]]:
        """(system, number enrolled, impostors) → figure → {value, low, high}; None for none."""
        figures: dict[tuple[str, int, str], dict[str, dict[str, Any]]] = {}
        for row in self.table("figures"):
            key = row["system"], int(row["enrolled"]), row["impostors"]
            figures.setdefault(key, {})[row["figure"]] = {
                **{end: _number(row[end]) for end in ("value", "low", "high")},
                **{count: int(row[count]) for count in ("targets", "others", "unscored")},
            }
        return figures

    def table(self, name: str) -> Rows:
        return csv_rows(self.folder / f"{name}.csv")

    def made(self, name: str) -> str:
        """What a system or fusion is made of, in words."""
        options = self.protocol["options"]
        if name in options["fusions"]:
            return f"scores of {', '.join(options['fusions'][name])}"
        system = options["systems"][name]
        return f"{METHODS[system['method']]} of {' + '.join(system['features'])}"

    @cached_property
    def kinds(self) -> list[tuple[int, str]]:
        """(number enrolled, impostors) that were measured, in their order."""
        return list(dict.fromkeys((count, kind) for _, count, kind in self.figures))


def summary(data: VerificationData) -> dict[str, Any]:
    """The figures of the opening: of what answers, by as many enrolled samples as there may be."""
    count = max(count for count, kind in data.kinds if kind == ALL)
    return {
        **data.protocol,
        "name": data.name,
        "enrolled": count,
        "figures": data.figures[data.answers, count, ALL],
        "confidence": data.protocol["options"]["confidence"],
    }


def systems(data: VerificationData) -> dict[str, Any]:
    """Every system's equal error rate with its interval, and its other figures."""
    ends = [
        figures["eer"][end]
        for figures in data.figures.values()
        for end in ("value", "low", "high")
        if figures["eer"][end] is not None
    ]
    scale = nice_scale([0.0, *ends], within=(0, 1))
    panels = [
        {
            "enrolled": count,
            "impostors": kind,
            "rows": [
                {
                    "name": name,
                    "made": data.made(name),
                    "own": name == data.answers,
                    "plot": whisker(
                        figures["eer"]["value"],
                        figures["eer"]["low"],
                        figures["eer"]["high"],
                        scale,
                        "fusion" if name == data.answers else "",
                    ),
                    **{"eer_more": None, **figures},
                }
                for (name, *rest), figures in data.figures.items()
                if rest == [count, kind]
            ],
        }
        for count, kind in data.kinds
    ]
    return {"panels": panels, "axis": axis(scale), "answers": data.answers}


def curves(data: VerificationData) -> dict[str, Any]:
    """A DET plot for each number of enrolled samples."""
    panels = []
    rows = data.table("det")
    for count in dict.fromkeys(row["enrolled"] for row in rows):
        points: dict[str, list[tuple[float, float]]] = {}
        for row in rows:
            if row["enrolled"] == count:
                point = float(row["false_acceptance"]), float(row["miss"])
                points.setdefault(row["system"], []).append(point)
        rate = data.figures[data.answers, int(count), ALL]["eer"]["value"]
        label = (
            f"Misses over false acceptances of {len(points)} systems with {count} enrolled; "
            f"{data.answers} has an equal error rate of {percent(rate)} %"
        )
        panels.append({"enrolled": int(count), "plot": det(points, label, data.answers)})
    return {"panels": panels, "answers": data.answers}


def threshold(data: VerificationData) -> dict[str, Any]:
    """What the threshold costs, and what one copied from elsewhere would."""
    rows = [
        {
            "enrolled": count,
            "impostors": kind,
            **data.figures[data.answers, count, kind],
        }
        for count, kind in data.kinds
        if (data.answers, count, kind) in data.figures
    ]
    copied = [
        {
            "name": name,
            "at": data.protocol["options"]["systems"][name]["copied"],
            "enrolled": count,
            "impostors": kind,
            "miss": figures["copied_miss"],
            "false_acceptance": figures["copied_false_acceptance"],
        }
        for (name, count, kind), figures in data.figures.items()
        if "copied_miss" in figures
    ]
    return {**data.protocol, "rows": rows, "copied": copied}


def people(data: VerificationData) -> dict[str, Any] | Absent:
    """Who is refused most, and for whom others are taken most."""
    rows = data.table("people")
    most = max(int(row["enrolled"]) for row in rows)
    shown: list[dict[str, Any]] = [
        {
            "person": row["person"],
            "own": int(row["own"]),
            "others": int(row["others"]),
            "missed": int(row["missed"]) / int(row["own"]),
            "falsely_accepted": int(row["falsely_accepted"]) / int(row["others"]),
        }
        for row in rows
        if int(row["enrolled"]) == most and int(row["own"]) and int(row["others"])
    ]
    if not shown:
        return Absent("No person has trials of both kinds.")
    shown.sort(key=lambda row: (-row["missed"] - row["falsely_accepted"], row["person"]))
    return {"rows": shown, "enrolled": most}


def protocol(data: VerificationData) -> dict[str, Any]:
    """How the trials were drawn, and what was left out."""
    return data.protocol


def _number(cell: str) -> float | None:
    return float(cell) if cell else None
