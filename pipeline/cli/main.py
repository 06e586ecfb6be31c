"""The `pipeline` command; one thin function a command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.errors import handle_errors
from pipeline.cli.metrics import metrics
from pipeline.cli.promote import promote
from pipeline.cli.store import app as store
from pipeline.cli.validate import validate
from pipeline.core.errors import PipelineError, unknown
from pipeline.core.logs import FORMAT, LEVEL, Format, Level, configure
from pipeline.core.terminal import say

if TYPE_CHECKING:
    from pipeline.params import Params

app = typer.Typer(
    name="pipeline",
    help="Image, audio and text data through cleaning, features and fusion models, under DVC.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(store, name="store")
app.command()(metrics)
app.command()(promote)
app.command()(validate)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        say(version("multimodal-pipeline"))
        raise typer.Exit


def _known(params: Params, stage: str) -> None:
    from pipeline.stages.run import labels

    known = labels(params)
    if stage and stage not in known:
        raise PipelineError(unknown("stage", stage, known))


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    log_level: Annotated[
        Level | None,
        typer.Option(envvar=LEVEL, help="Least that is logged, on stderr; info if not given."),
    ] = None,
    log_format: Annotated[
        Format | None,
        typer.Option(envvar=FORMAT, help="json: one JSON object a line; text if not given."),
    ] = None,
) -> None:
    """Image, audio and text data through cleaning, features and fusion models, under DVC."""
    configure(log_level, log_format)


@app.command()
@handle_errors
def check() -> None:
    """Check params.yaml and this machine before any work begins."""
    from pipeline.params import load
    from pipeline.stages.check import check_machine

    params = load()
    for line in check_machine(params):
        say(line)


@app.command()
@handle_errors
def add(
    source: Annotated[str, typer.Argument(help="Source of params.yaml that the data are of.")],
    folder: Annotated[Path, typer.Argument(help="Folder that holds them; it stays as it is.")],
    batch: Annotated[str, typer.Option(help="Name of the batch, else the folder's.")] = "",
) -> None:
    """Bring a folder in as a new batch: look through it, copy it to data/raw, `dvc add` it."""
    from pipeline.params import load
    from pipeline.stages.add import add_batch

    say(add_batch(load(), source, folder, batch))


@app.command()
@handle_errors
def stage(
    name: Annotated[str, typer.Argument(help="Name of the stage, or DVC's: extract@mfcc.")],
    item: Annotated[
        str, typer.Argument(help="Source, modality, feature set or model that it is for.")
    ] = "",
) -> None:
    """Run one stage, as dvc.yaml does; `dvc repro` runs those that have work."""
    from pipeline.stages.run import run_stage

    if not item:  # DVC's name begins with the path of a dvc.yaml that lies elsewhere
        name, _, item = name.partition("@")
        name = name.rpartition(":")[2]
    say(run_stage(name, item))


@app.command()
@handle_errors
def plan(
    stage: Annotated[str, typer.Argument(help="Only this stage, e.g. clean/image.")] = "",
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Tell what `dvc repro` would compute, and why, without doing it.

    Stages of the comparison are told when they are asked for by name.
    """
    from pipeline.core.machine.environment import establish
    from pipeline.params import load, read_instructions

    establish(read_instructions())
    from pipeline.cli.runs import show_forecasts
    from pipeline.stages.forecast import forecast
    from pipeline.stages.run import APART, labels

    params = load()
    _known(params, stage)
    everyday = [one for one in labels(params) if not one.startswith(APART)]
    show_forecasts([*forecast(params, [stage] if stage else everyday)], json)


@app.command()
@handle_errors
def runs(
    stage: Annotated[str, typer.Argument(help="Only this stage, e.g. clean/image.")] = "",
    every: Annotated[
        bool, typer.Option("--all", help="All runs that are kept, not only the last.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show what each stage did when it last ran: parts, rows, time, memory."""
    from pipeline.cli.runs import run_records, show_runs
    from pipeline.params import load
    from pipeline.stages.run import labels

    params = load()
    _known(params, stage)
    show_runs(run_records([stage] if stage else labels(params), every), json)


@app.command()
@handle_errors
def rejects(
    stage: Annotated[str, typer.Option(help="Only this stage, e.g. clean/image.")] = "",
    reason: Annotated[str, typer.Option(help="Only this reason, e.g. failed.")] = "",
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show what was refused, why, by stage; of rows that failed, where the tracebacks are."""
    from pipeline.params import load
    from pipeline.store.rejects import collect, print_lines, print_tables, reject_folders
    from pipeline.store.trees.tree import WorkTree

    params = load()
    _known(params, stage)
    flow = reject_folders(params.modalities, params.features)
    found = collect(WorkTree(Path("data")), flow, params.models, stage)
    found = [reject for reject in found if reason in ("", reject.reason)]
    (print_lines if json else print_tables)(found)


@app.command()
@handle_errors
def report(
    open: Annotated[
        bool,
        typer.Option("--open", help="Open it in a browser, with the run's time and revision."),
    ] = False,
) -> None:
    """Say where the report is, or open it."""
    from pipeline.reporting.show import dated_copy

    page = Path("data", "reports", "index.html")
    if not page.is_file():
        raise PipelineError(f"there is no {page} yet: run `dvc repro` to make it")
    if open:
        import webbrowser

        page = dated_copy(page)
        webbrowser.open(page.absolute().as_uri())
    say(page)


if __name__ == "__main__":
    sys.exit(app())
