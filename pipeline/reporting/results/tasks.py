"""What the models answer of a task on the test split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.models.evaluation.nearest import LEAD, REPEATED
from pipeline.models.evaluation.nearest import NAME as NEAREST
from pipeline.models.tasks import HEADLINES, Figure
from pipeline.reporting.choice import rank_models
from pipeline.reporting.difference import model_difference
from pipeline.reporting.format import amount, count, listed, percent, points
from pipeline.reporting.inputs import EvaluatedModel, ReportInputs
from pipeline.reporting.results.table import difference, estimate, figure_cells, markdown_table

# Resamples of the paired bootstrap.
DRAWS = 2000


def task_table(inputs: ReportInputs, task: str, shown: Sequence[str]) -> str:
    """The models that learned a task, the best first, and what is answered without a model."""
    models = [model for model in rank_models(inputs.evaluated, task, "test") if task in model.tasks]
    tests = {model.name: model.tasks[task].get("test", {}) for model in models}
    kinds = {name: figure for model in models for name, figure in model.task(task).FIGURES.items()}
    figures = {
        name: kinds[name]
        for name in [name for name in shown if name in kinds] or [*kinds][:HEADLINES]
        if any(name in test for test in tests.values())
    }
    counts: Mapping[str, Any] = next((test for test in tests.values() if test.get("n")), {})
    heading = (
        f"**{task}** on the test split: {count(counts.get('n', 0))} samples, "
        f"{count(counts.get('components', 0))} components, {100 * inputs.confidence:g} % intervals "
        f"by resampling components."
    )
    if repeated := next((test[REPEATED] for test in tests.values() if REPEATED in test), None):
        heading += f" {percent(repeated['value'])} % of the truths stand in the train split, too."
    differences = _differences(inputs, models, task)
    leads = {model.name: difference(tests[model.name].get(LEAD)) for model in models}
    leads = leads if any(leads.values()) else {}
    rows = [
        [
            f"`{model.name}`",
            listed(model.modalities),
            *figure_cells(tests[model.name], figures),
            *([differences.get(model.name, "")] if differences else []),
            *([leads[model.name]] if leads else []),
        ]
        for model in models
    ]
    trivial = next((_trivial(model, task) for model in models if _trivial(model, task)), None)
    if trivial:
        name, values = trivial
        blanks = [""] * (bool(differences) + bool(leads))
        rows.append([f"*{name}*", "nothing", *_plain_cells(values, figures), *blanks])
    for model in {model.modalities: model for model in reversed(models)}.values():
        if near := tests[model.name].get(NEAREST):
            rows.append(
                [f"*{NEAREST}*", listed(model.modalities), *_plain_cells(near, figures), ""]
            )
    heads = ["model", "reads", *(figure.title for figure in figures.values())]
    if differences:
        heads.append(f"points of macro-F1 to `{models[0].name}`")
    if leads:
        heads.append(f"points of {next(iter(figures.values())).title} to the {NEAREST}")
    return heading + "\n\n" + markdown_table(heads, rows)


def _differences(
    inputs: ReportInputs, models: Sequence[EvaluatedModel], task: str
) -> dict[str, str]:
    """Model → how it differs from the first on the same samples, by the paired bootstrap."""
    components = {row["sample_id"]: row["component"] for row in inputs.curated}
    differences = {}
    for model in models[1:]:
        paired = model_difference(model, models[0], task, components, DRAWS, inputs.confidence)
        if paired:
            differences[model.name] = estimate(points, paired.value, paired.low, paired.high)
    return differences


def _trivial(model: EvaluatedModel, task: str) -> tuple[str, Mapping[str, float]] | None:
    """What the answer that looks at nothing is called and scores."""
    name = model.task(task).TRIVIAL
    values = model.tasks[task].get("test", {}).get(name)
    return (name, values) if values else None


def _plain_cells(values: Mapping[str, float], figures: Mapping[str, Figure]) -> list[str]:
    """As `figure_cells`, of numbers without intervals."""
    return [amount(values[f], figures[f].share) if f in values else "" for f in figures]
