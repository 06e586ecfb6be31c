"""`pipeline metrics`: every figure of the models, with its interval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.arguments import Json
from pipeline.cli.errors import handle_errors
from pipeline.cli.output import show
from pipeline.core.errors import PipelineError, unknown
from pipeline.core.folders import DATA, EVALUATION
from pipeline.core.terminal import say

EVALUATED = Path(DATA, EVALUATION)


@handle_errors
def metrics(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL]...", help="Names of `models`; all by default."),
    ] = None,
    json: Json = False,
) -> None:
    """Show all figures of the models with their intervals; `dvc metrics show` has the headlines."""
    from pipeline.models.evaluation.figure_files import COLUMNS
    from pipeline.params import load

    known = load().models
    if wrong := [name for name in models or () if name not in known]:
        raise PipelineError(unknown("model", wrong[0], known))
    rows = [*_rows(models or [*known])]
    if not rows:
        raise PipelineError("no model is evaluated yet: run `dvc repro`")
    show(rows, ("model", *COLUMNS), json)


@handle_errors
def leaderboard(json: Json = False) -> None:
    """Rank the models by the first figure of their primary task on the test split.

    `chosen` marks the fusion and the single modality that validation chose. A figure that is not
    known is —: `pipeline report` says why.
    """
    from pipeline.models.tasks import ranked_by
    from pipeline.params import load
    from pipeline.reporting.choice import rank_models, select_by_validation
    from pipeline.reporting.inputs import ReportInputs

    params = load()
    modalities = params.set_modalities
    inputs = ReportInputs(
        EVALUATED.parent, tuple(params.models), params.modalities, modalities, params.targets, ""
    )
    choice = select_by_validation(inputs)
    if choice is None:
        raise PipelineError("no model is evaluated yet: run `dvc repro`")
    figure = ranked_by(choice.shown.task(choice.task))
    unknown_figure = {"value": None, "low": None, "high": None}
    rows = []
    for model in rank_models(inputs.evaluated, choice.task, "test"):
        test, validation = (
            model.tasks.get(choice.task, {}).get(split, {}).get(figure) or unknown_figure
            for split in ("test", "validation")
        )
        known = {"test": test["value"], "low": test["low"], "high": test["high"]}
        known["validation"] = validation["value"]
        shown = known if json else {name: _rounded(value) for name, value in known.items()}
        rows.append({"model": model.name, **shown, "chosen": choice.mark(model)})
    if not json:
        say(f"{figure} of {choice.task}", error=True)
    show(rows, ("model", "test", "low", "high", "validation", "chosen"), json)


def _rounded(value: float | None) -> str:
    return "—" if value is None else f"{value:.3f}"


def _rows(models: Sequence[str]) -> Iterator[dict[str, Any]]:
    from pipeline.models.evaluation.figure_files import parse_number, read_rows

    for model in models:
        for row in read_rows(EVALUATED / model):
            numbers = {name: parse_number(row[name]) for name in ("value", "low", "high")}
            yield {"model": model, **row, **numbers}
