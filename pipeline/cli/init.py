"""`pipeline init`: a project for somebody's own data, in one command."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.errors import handle_errors
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
    source: Annotated[str, typer.Option(help="Name of the source, else the project's.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Take what is proposed, and ask nothing.")] = (
        False
    ),
) -> None:
    """Lay out a project: git, DVC, the graph, params.yaml; with --data also its first batch.

    On a terminal it asks what the columns are, elsewhere it decides by the rules that
    docs/own-data.md states.
    """
    from pipeline.project.layout import EXAMPLE, new_project

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
