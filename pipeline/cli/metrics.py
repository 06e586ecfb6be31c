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
    from pipeline.models.evaluation.measured import COLUMNS
    from pipeline.params import load

    known = load().models
    if wrong := [name for name in models or () if name not in known]:
        raise PipelineError(unknown("model", wrong[0], known))
    rows = [*_rows(models or [*known])]
    if not rows:
        raise PipelineError("no model is evaluated yet: run `dvc repro`")
    show(rows, ("model", *COLUMNS), json)


def _rows(models: Sequence[str]) -> Iterator[dict[str, Any]]:
    from pipeline.models.evaluation.measured import parse_number, read_rows

    for model in models:
        for row in read_rows(EVALUATED / model):
            numbers = {name: parse_number(row[name]) for name in ("value", "low", "high")}
            yield {"model": model, **row, **numbers}
