"""The `pipeline` command; one thin function a command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.blame import blame
from pipeline.cli.encoders import encoders
from pipeline.cli.errors import handle_errors
from pipeline.cli.freeze import freeze
from pipeline.cli.gc import gc
from pipeline.cli.init import init
from pipeline.cli.metrics import leaderboard, metrics
from pipeline.cli.nightly import app as nightly
from pipeline.cli.package import package
from pipeline.cli.plots import plots
from pipeline.cli.predict import predict
from pipeline.cli.promote import promote
from pipeline.cli.prune import prune
from pipeline.cli.recipes import recipes
from pipeline.cli.rejects import rejects
from pipeline.cli.results import results
from pipeline.cli.segment import segment
from pipeline.cli.serve import serve
from pipeline.cli.store import app as store
from pipeline.cli.trial import trial
from pipeline.cli.validate import validate
from pipeline.core.errors import PipelineError, unknown
from pipeline.core.folders import DATA, RAW, REPORTS
from pipeline.core.logs import FORMAT, LEVEL, Format, Level, configure
from pipeline.core.terminal import say

if TYPE_CHECKING:
    from pipeline.params import Params

app = typer.Typer(
    name="pipeline",
    help="Image, audio and text data through cleaning, features and fusion models, under DVC.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(store, name="store")
app.add_typer(nightly, name="nightly")
app.command()(init)
app.command()(recipes)
app.command()(metrics)
app.command()(leaderboard)
app.command()(results)
app.command()(encoders)
app.command()(package)
# Modalities are plug-ins, so that their options are read by the command itself.
app.command(context_settings={"ignore_unknown_options": True})(predict)
app.command()(freeze)
app.command()(blame)
app.command()(trial)
app.command()(plots)
app.command()(promote)
app.command()(rejects)
app.command()(prune)
app.command()(segment)
app.command()(serve)
app.command()(gc)
app.command()(validate)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        say(version("multimodal-pipeline"))
        raise typer.Exit


def _check_stage(params: Params, stage: str) -> None:
    from pipeline.stages.graph import labels

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
    """Check params.yaml, the graph, the data and this machine before any work begins."""
    from pipeline.params import load
    from pipeline.stages.check import check_project

    for line in check_project(load()):
        say(line)


@app.command()
@handle_errors
def add(
    folder: Annotated[Path, typer.Argument(help="Folder that holds them; it stays as it is.")],
    source: Annotated[
        str, typer.Option(help="Source of params.yaml that the data are of, if it has several.")
    ] = "",
    batch: Annotated[str, typer.Option(help="Name of the batch, else the folder's.")] = "",
    table: Annotated[
        str, typer.Option(help="The table of several that says what its files are.")
    ] = "",
) -> None:
    """Bring a folder in as a new batch: look through it, copy it to data/raw, `dvc add` it."""
    from pipeline.params import load
    from pipeline.stages.add import add_batch

    say(add_batch(load(), source, folder, batch, table))
    say("Next: `git add data/raw`, `dvc repro`")


@app.command()
@handle_errors
def stage(
    name: Annotated[str, typer.Argument(help="Name of the stage, or DVC's: extract@mfcc.")],
    item: Annotated[
        str, typer.Argument(help="Source, modality, feature set or model that it is for.")
    ] = "",
) -> None:
    """Run one stage, as dvc.yaml does; `dvc repro` runs those that have work."""
    from pipeline.core.machine.environment import establish, stated_instructions

    establish(stated_instructions())
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
    from pipeline.core.machine.environment import establish, stated_instructions

    establish(stated_instructions())
    from pipeline.cli.runs import show_forecasts
    from pipeline.params import load
    from pipeline.raw.tracking import untracked
    from pipeline.stages.forecast import forecast
    from pipeline.stages.graph import labels

    params = load()
    _check_stage(params, stage)
    stages = [stage] if stage else labels(params, compares=False)
    show_forecasts([*forecast(params, stages)], json)
    sources = params.sources.keys() - params.roots.keys()
    for line in untracked(Path(DATA, RAW), sources, params.fetched):
        say(line, error=True)


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
    from pipeline.stages.graph import labels

    params = load()
    _check_stage(params, stage)
    show_runs(run_records([stage] if stage else labels(params), every), json)


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

    page = Path(DATA, REPORTS, "index.html")
    if not page.is_file():
        raise PipelineError(f"there is no {page} yet: run `dvc repro` to make it")
    if open:
        import webbrowser

        page = dated_copy(page)
        webbrowser.open(page.absolute().as_uri())
    say(page)


if __name__ == "__main__":
    sys.exit(app())
