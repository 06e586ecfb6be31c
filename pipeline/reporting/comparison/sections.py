"""What each section of the page of the comparison shows."""

from __future__ import annotations

from typing import Any

from pipeline.models.comparison.candidate import CHOSEN, SEED_ENSEMBLE
from pipeline.reporting.comparison.data import ComparisonData, Row
from pipeline.reporting.format import percent, points
from pipeline.reporting.gallery import media_of, sample_card
from pipeline.reporting.inputs import Absent
from pipeline.reporting.plots.rows import axis, dumbbell, effect, whisker
from pipeline.reporting.plots.scale import UNIT, Scale, nice_scale

# What a fusion may lose for want of a modality, against a model that never knew it.
COST = 0.05
# Of what stands beside the samples, so many columns are shown, the most telling.
TELLING = 8
RIVALS = {
    "single": "the best single modality",
    "baseline": "the best baseline",
    "fusion": "the best fusion",
}


def summary(data: ComparisonData) -> dict[str, Any]:
    """The figures of the opening; a kind that no model is of is left out."""
    others = {kind: data.best(kind) for kind in ("single", "baseline")}
    named = {"fusion": CHOSEN, "together": SEED_ENSEMBLE, **others}
    rows = {(row["model"], row["other"]): row for row in data.tables["paired"]}
    return {
        **data.summary,
        "folds": data.folds,
        "seeds": data.seeds,
        "confidence": data.confidence,
        "best": {kind: data.scores[name] for kind, name in named.items() if name in data.scores},
        "gains": {
            kind: {**rows[CHOSEN, name], "sure": _sure(rows[CHOSEN, name], data.confidence)}
            for kind, name in others.items()
            if (CHOSEN, name) in rows
        },
        "together": rows.get((SEED_ENSEMBLE, others["baseline"])),
    }


def leaderboard(data: ComparisonData) -> dict[str, Any]:
    rows = data.tables["leaderboard"]
    scale = nice_scale((row[bound] for row in rows for bound in ("low", "high")), within=(0.0, 1.0))
    return {
        "axis": axis(scale),
        "confidence": data.confidence,
        "rows": [
            (row, data.mark(row["model"]), _interval(row, scale, data.mark(row["model"])))
            for row in rows
        ],
    }


def differences(data: ComparisonData) -> dict[str, Any] | Absent:
    rows = data.tables["paired"]
    if not rows:
        return Absent("No model joins all modalities.")
    scale = nice_scale([0.0, *(row[bound] for row in rows for bound in ("low", "high"))])
    forests = [
        {
            "title": title,
            "other": other,
            "rows": [
                (row, data.mark(row["model"]), _effect(row, scale, _sure(row, data.confidence)))
                for row in sorted(rows, key=lambda row: -row["value"])
                if row["other"] == other
            ],
        }
        for kind, title in RIVALS.items()
        for other in [data.best(kind)]
        if other is not None
    ]
    return {
        "axis": axis(scale, points),
        "confidence": data.confidence,
        "forests": [forest for forest in forests if forest["rows"]],
    }


def missing(data: ComparisonData) -> dict[str, Any] | Absent:
    rows = data.tables["missing"]
    if not rows:
        return Absent("No model joins all modalities.")
    bounds = [row[bound] for row in rows if "low" in row for bound in ("low", "high")]
    scale = nice_scale([0.0, -COST, *bounds])
    models = sorted({row["model"] for row in rows}, key=[*data.kinds].index)
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


def choices(data: ComparisonData) -> dict[str, Any] | Absent:
    rows = data.tables["choices"]
    return {"rows": rows} if rows else Absent("There is no fusion to choose from.")


def classes(data: ComparisonData) -> dict[str, Any] | Absent:
    other = data.best("single")
    model = CHOSEN if CHOSEN in data.kinds else other
    if model is None:
        return Absent("No model is compared.")
    rows = {row["class"]: row for row in data.tables["classes"] if row["model"] == model}
    other_f1 = {
        row["class"]: row["f1"]
        for row in data.tables["classes"]
        if row["model"] == other and other != model
    }
    drawn = [
        (row, dumbbell(row["f1"], other_f1.get(name), _label(row, other_f1.get(name)), UNIT))
        for name, row in sorted(rows.items(), key=lambda pair: (-pair[1]["f1"], pair[0]))
    ]
    half = (len(drawn) + 1) // 2
    return {
        "axis": axis(UNIT),
        "shown": model,
        "other": other if other_f1 else None,
        "columns": [part for part in (drawn[:half], drawn[half:]) if part],
    }


def probe(data: ComparisonData) -> dict[str, Any]:
    content = data.best("baseline")
    bar = data.scores[content]["macro_f1"] if content else 1.0
    columns = [(row["column"], row["macro_f1"]) for row in data.tables["shortcuts"][:TELLING]]
    return {
        **data.summary["probe"],
        "task": data.summary["task"],
        "gaps": data.tables["gaps"],
        "columns": [(name, score, score > bar) for name, score in columns],
        "suspicious": any(score > bar for _, score in columns),
    }


def labels(data: ComparisonData) -> dict[str, Any] | Absent:
    rows = [row for row in data.tables["label_errors"] if row["sample_id"] in data.inputs.by_id]
    if not rows:
        return Absent("No label looks wrong, or there is no fusion to doubt it.")
    media = media_of(data.inputs, {row["sample_id"] for row in rows}, data.options)
    return {
        "task": data.summary["task"],
        "cards": [
            {**sample_card(data.inputs, row["sample_id"], media), "row": row} for row in rows
        ],
    }


def words(data: ComparisonData) -> dict[str, Any]:
    return {"confidence": data.confidence, "folds": data.folds, "seeds": data.seeds,
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


def _label(row: Row, other: float | None) -> str:
    sentence = f"F1 {percent(row['f1'])} %"
    return (
        sentence if other is None else f"{sentence}; the best single modality: {percent(other)} %"
    )
