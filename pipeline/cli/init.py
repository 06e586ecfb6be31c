"""`pipeline init`: a project for somebody's own data, or of a recipe, in one command."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.errors import handle_errors
from pipeline.core.errors import PipelineError
from pipeline.core.terminal import say

# After a run DVC names dvc.lock alone, which says nothing without the graph and params beside it.
LAST = "`pipeline check`, `dvc repro`, `git add .`, `git commit`"


@handle_errors
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New folder for the project.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder of data: params are proposed for it; it is added.")
    ] = None,
    table: Annotated[
        str, typer.Option(help="The table of several in it that says what its files are.")
    ] = "",
    recipe: Annotated[
        str, typer.Option(help="Instead of data: a recipe that fetches its own; `recipes` has all.")
    ] = "",
    source: Annotated[str, typer.Option(help="Name of the source, else the project's.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Take what is proposed, and ask nothing.")] = (
        False
    ),
) -> None:
    """Lay out a project: git, DVC, the graph, params.yaml; with --data also its first batch.

    With --recipe it is the project of a recipe, whose data come when it runs.

    On a terminal it asks what the columns are, elsewhere it decides by the rules that
    docs/own-data.md states.
    """
    from pipeline.project.layout import EXAMPLE, new_project

    if recipe:
        if data is not None:
            raise PipelineError("a recipe fetches its own data: give --recipe or --data")
        _lay_out(folder, recipe)
        return
    if data is None:
        with new_project(folder, EXAMPLE):
            pass
        say(f"{folder}: a project without data. Next: `cd {folder}`, look through params.yaml, ")
        say(f"`pipeline add FOLDER --source mine`, {LAST}")
        return

    from pipeline.params import load
    from pipeline.project.proposal import params_text, propose, told
    from pipeline.project.survey import survey
    from pipeline.stages.add import add_batch

    data, name = data.absolute(), source or _name(folder)
    seen = survey(data, table)
    proposal = propose(seen, _decide if yes or not sys.stdin.isatty() else _ask)
    for line in told(proposal, seen):
        say(line)
    with new_project(folder, params_text(proposal, name)), contextlib.chdir(folder):
        say(add_batch(load(), name, data, table=seen.table))
    say(f"Next: `cd {folder}`, look through params.yaml, {LAST}")


def _lay_out(folder: Path, name: str) -> None:
    from pipeline.project.layout import new_project
    from pipeline.recipes import PROJECT, load, missing_extras

    recipe = load(name)
    with new_project(folder, recipe.params):
        pass
    say(f"{folder}: {recipe.about.title}. {recipe.about.summary}")
    for data in recipe.about.data:
        say(f"Data: {data.name} ({data.licence}, {data.bytes / 1e6:.1f} MB), by {data.fetched_by}")
    if extras := missing_extras(recipe.about):
        say(f"Not installed yet: pip install '{PROJECT}[{','.join(extras)}]'")
    say(
        f"Next: `cd {folder}`, `pipeline check`, `dvc repro` (about {recipe.about.minutes:g} "
        f"minutes and {recipe.about.memory_gb:g} GB on two cores), `pipeline report --open`"
    )


def _name(folder: Path) -> str:
    """What a source may be called after a folder."""
    letters = (c if c.isascii() and c.isalnum() else "_" for c in folder.absolute().name)
    return "".join(letters).strip("_") or "mine"


def _decide(question: str, options: Sequence[str], default: str) -> str:
    return default


def _ask(question: str, options: Sequence[str], default: str) -> str:
    from pipeline.core.terminal import visible

    while True:
        listed = ", ".join(map(visible, options))
        chosen = str(typer.prompt(f"{question} [{listed}]", default=default))
        if chosen in options:
            return chosen
        say(f"'{chosen}' is none of them")
