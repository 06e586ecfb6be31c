"""What people decide about models, batches and samples, with who and why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from pipeline.cli.arguments import Json
from pipeline.cli.errors import handle_errors
from pipeline.cli.nightly.files import loaded
from pipeline.cli.output import show
from pipeline.core.errors import PipelineError
from pipeline.core.terminal import say

Who = Annotated[str, typer.Option("--who", help="Who decides this.")]
Why = Annotated[str, typer.Option("--why", help="Why, for those who ask later.")]
Run = Annotated[str, typer.Argument(metavar="RUN", help="A run; `history` lists them.")]
AliasName = Annotated[str, typer.Option("--alias", help="The alias of aliases.yaml.")]
Held = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE/BATCH[/SAMPLE]",
        help="As `held` lists it; a batch of which samples are held means all of these.",
    ),
]
Taken = Annotated[str, typer.Argument(metavar="SOURCE/BATCH[/SAMPLE]", help="What came in.")]


@handle_errors
def promote(
    run: Run,
    who: Who,
    why: Why,
    model: Annotated[str, typer.Option(help="Its model; that of nightly.yaml if none.")] = "",
    alias: AliasName = "champion",
) -> None:
    """Let an alias, the model in use if none is named, be that of a run."""
    from pipeline.nightly import decide

    chosen = model or loaded()[1].model
    say(decide.promote(run, chosen, alias, who, why, datetime.now(UTC)))


@handle_errors
def hold(run: Run, who: Who, why: Why, alias: AliasName = "champion") -> None:
    """Say that the model of a run is not to be used."""
    from pipeline.nightly import decide

    say(decide.hold(run, alias, who, why, datetime.now(UTC)))


@handle_errors
def rollback(run: Run, who: Who, why: Why, alias: AliasName = "champion") -> None:
    """Let an alias be again what it was before a run was promoted; nothing is computed."""
    from pipeline.nightly import decide

    say(decide.rollback(run, alias, who, why, datetime.now(UTC)))


@handle_errors
def held(json: Json = False) -> None:
    """List the batches and samples that stay out until somebody decides, with why."""
    from pipeline.nightly.decide import held
    from pipeline.nightly.ledger import read_ledger

    rows = held(read_ledger())
    if rows or json:
        show(rows, ("name", "landing", "run", "who", "why", "where"), json)
    else:
        say("nothing is held")


@handle_errors
def release(name: Held, who: Who, why: Why) -> None:
    """Let the next run take what is held, as it is."""
    from pipeline.nightly import decide

    say(decide.release(*_split(name), who, why, datetime.now(UTC)))


@handle_errors
def discard(name: Held, who: Who, why: Why) -> None:
    """Say that what is held never comes in."""
    from pipeline.nightly import decide

    say(decide.discard(*_split(name), who, why, datetime.now(UTC)))


@handle_errors
def withdraw(name: Taken, who: Who, why: Why) -> None:
    """Take a batch, or a sample of one, out again; the next run goes without it."""
    from pipeline.nightly import decide

    say(decide.withdraw(*_split(name), who, why, datetime.now(UTC)))


def _split(held: str) -> tuple[str, str]:
    source, slash, name = held.partition("/")
    if not (source and slash and name):
        raise PipelineError(f"'{held}' names no batch: give SOURCE/BATCH, as `held` lists it")
    return source, name
