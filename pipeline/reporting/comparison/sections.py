"""What each section of the page of the comparison shows."""

from __future__ import annotations

from typing import Any

from pipeline.models.comparison.candidate import CHOSEN, TOGETHER
from pipeline.reporting.comparison.data import ComparisonData, Row
from pipeline.reporting.format import percent, points
from pipeline.reporting.gallery import media_of, sample_card
from pipeline.reporting.inputs import Absent
from pipeline.reporting.plots.rows import axis, dumbbell, effect, whisker
from pipeline.reporting.plots.scale import UNIT, Scale, nice

# What a fusion may lose for want of a modality, against a model that never knew it.
COST = 0.05
# Of what stands beside the samples, so many columns are shown, the most telling.
TELLING = 8
RIVALS = {
    "single": "the best single modality",
    "baseline": "the best baseline",
    "fusion": "the best fusion",
}


def summary(found: ComparisonData) -> dict[str, Any]:
    """The figures of the opening; a kind that no model is of is left out."""
    others = {kind: found.best(kind) for kind in ("single", "baseline")}
    named = {"fusion": CHOSEN, "together": TOGETHER, **others}
    rows = {(row["model"], row["other"]): row for row in found.tables["paired"]}
    return {
        **found.summary,
        "folds": found.folds,
        "seeds": found.seeds,
        "confidence": found.confidence,
        "best": {kind: found.scores[name] for kind, name in named.items() if name in found.scores},
        "gains": {
            kind: {**rows[CHOSEN, name], "sure": _sure(rows[CHOSEN, name], found.confidence)}
            for kind, name in others.items()
            if (CHOSEN, name) in rows
        },
        "together": rows.get((TOGETHER, others["baseline"])),
    }


def leaderboard(found: ComparisonData) -> dict[str, Any]:
    rows = found.tables["leaderboard"]
    scale = nice((row[bound] for row in rows for bound in ("low", "high")), within=(0.0, 1.0))
    return {
        "axis": axis(scale),
        "confidence": found.confidence,
        "rows": [
            (row, found.mark(row["model"]), _interval(row, scale, found.mark(row["model"])))
            for row in rows
        ],
    }


def differences(found: ComparisonData) -> dict[str, Any] | Absent:
    rows = found.tables["paired"]
    if not rows:
        return Absent("No model joins all modalities.")
    scale = nice([0.0, *(row[bound] for row in rows for bound in ("low", "high"))])
    forests = [
        {
            "title": title,
            "other": other,
            "rows": [
                (row, found.mark(row["model"]), _effect(row, scale, _sure(row, found.confidence)))
                for row in sorted(rows, key=lambda row: -row["value"])
                if row["other"] == other
            ],
        }
        for kind, title in RIVALS.items()
        for other in [found.best(kind)]
        if other is not None
    ]
    return {
        "axis": axis(scale, points),
        "confidence": found.confidence,
        "forests": [forest for forest in forests if forest["rows"]],
    }


def missing(found: ComparisonData) -> dict[str, Any] | Absent:
    rows = found.tables["missing"]
    if not rows:
        return Absent("No model joins all modalities.")
    bounds = [row[bound] for row in rows if "low" in row for bound in ("low", "high")]
    scale = nice([0.0, -COST, *bounds])
    models = sorted({row["model"] for row in rows}, key=[*found.kinds].index)
    models.sort(key=lambda name: name != CHOSEN)
    return {
        "axis": axis(scale, points),
        "cost": COST,
        "models": models,
        "panels": [
            {
                "model": model,
                "rows": [
                    (row, _effect(row, scale, _cost(row), -COST) if "low" in row else "")
                    for row in rows
                    if row["model"] == model
                ],
            }
            for model in models
        ],
    }


def choices(found: ComparisonData) -> dict[str, Any] | Absent:
    rows = found.tables["choices"]
    return {"rows": rows} if rows else Absent("There is no fusion to choose from.")


def classes(found: ComparisonData) -> dict[str, Any] | Absent:
    other = found.best("single")
    shown = CHOSEN if CHOSEN in found.kinds else other
    if shown is None:
        return Absent("No model is compared.")
    rows = {row["class"]: row for row in found.tables["classes"] if row["model"] == shown}
    beside = {
        row["class"]: row["f1"]
        for row in found.tables["classes"]
        if row["model"] == other and other != shown
    }
    drawn = [
        (row, dumbbell(row["f1"], beside.get(name), _said(row, beside.get(name)), UNIT))
        for name, row in sorted(rows.items(), key=lambda pair: (-pair[1]["f1"], pair[0]))
    ]
    half = (len(drawn) + 1) // 2
    return {
        "axis": axis(UNIT),
        "shown": shown,
        "other": other if beside else None,
        "columns": [part for part in (drawn[:half], drawn[half:]) if part],
    }


def probe(found: ComparisonData) -> dict[str, Any]:
    content = found.best("baseline")
    bar = found.scores[content]["macro_f1"] if content else 1.0
    columns = [(row["column"], row["macro_f1"]) for row in found.tables["shortcuts"][:TELLING]]
    return {
        **found.summary["probe"],
        "task": found.summary["task"],
        "gaps": found.tables["gaps"],
        "columns": [(name, score, score > bar) for name, score in columns],
        "suspicious": any(score > bar for _, score in columns),
    }


def labels(found: ComparisonData) -> dict[str, Any] | Absent:
    rows = [row for row in found.tables["label_errors"] if row["sample_id"] in found.inputs.by_id]
    if not rows:
        return Absent("No label looks wrong, or there is no fusion to doubt it.")
    shown = media_of(found.inputs, {row["sample_id"] for row in rows}, found.options)
    return {
        "task": found.summary["task"],
        "cards": [
            {**sample_card(found.inputs, row["sample_id"], shown), "row": row} for row in rows
        ],
    }


def words(found: ComparisonData) -> dict[str, Any]:
    return {"confidence": found.confidence, "folds": found.folds, "seeds": found.seeds,
            "cost": COST}  # fmt: skip


def _interval(row: Row, scale: Scale, mark: str) -> str:
    return whisker(row["macro_f1"], row["low"], row["high"], scale, mark)


def _effect(row: Row, scale: Scale, mark: str, limit: float | None = None) -> str:
    return effect(row["value"], row["low"], row["high"], scale, mark, limit)


def _sure(row: Row, confidence: float) -> str:
    if row["corrected"] >= 1 - confidence:
        return ""
    return "gain" if row["value"] > 0 else "loss"


def _cost(row: Row) -> str:
    return "loss" if row["value"] < -COST else "gain"


def _said(row: Row, other: float | None) -> str:
    own = f"F1 {percent(row['f1'])} %"
    return own if other is None else f"{own}; the best single modality: {percent(other)} %"
