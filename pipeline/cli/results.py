"""`pipeline results`: what a finished project came to, as Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.errors import handle_errors
from pipeline.core.folders import DATA
from pipeline.core.terminal import say


@handle_errors
def results(
    page: Annotated[
        Path | None,
        typer.Option(help="Page to write them into, between its marks; else they are printed."),
    ] = None,
    figure: Annotated[
        list[str] | None, typer.Option(help="A figure to show, and further ones: --figure … .")
    ] = None,
) -> None:
    """Tell, in Markdown, the models' figures with intervals, the comparison, time and memory."""
    from pipeline.params import load
    from pipeline.reporting.inputs import ReportInputs
    from pipeline.reporting.results import put_results
    from pipeline.reporting.results import results as results_of
    from pipeline.stages.graph import labels

    params = load()
    inputs = ReportInputs(
        Path(DATA),
        tuple(params.models),
        params.modalities,
        params.set_modalities,
        params.targets,
        "",
        params.evaluate.confidence,
    )
    stages = {
        "dvc repro": labels(params, compares=False),
        "dvc repro comparison/dvc.yaml": labels(params, compares=True),
    }
    text = results_of(inputs, stages, figure or [])
    if page is None:
        say(text, end="")
    else:
        put_results(page, text)
        say(f"{page}: results written")
