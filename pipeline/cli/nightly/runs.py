"""A night is run, or taken back; exit codes tell schedulers what became of it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.errors import handle_errors
from pipeline.cli.nightly.decisions import Run
from pipeline.cli.nightly.files import loaded
from pipeline.cli.output import show
from pipeline.core.errors import PipelineError
from pipeline.core.terminal import say

if TYPE_CHECKING:
    from pipeline.nightly.choose import Choice
    from pipeline.nightly.journal import Night
    from pipeline.nightly.options import NightlyOptions
    from pipeline.params import Params

# What a scheduler sees. 65 and 75 are those of sysexits.h: EX_DATAERR, EX_TEMPFAIL.
CODES = {"promoted": 0, "held": 10, "nothing": 11, "bad_data": 65}
INFRASTRUCTURE, MISUSE = 75, 2
EXITS = (
    "Exit codes: 0 promoted, 10 held, 11 nothing new, 65 bad data (all that landed is held), "
    "75 the machine or the network failed (worth a retry; the next start goes on), 2 misuse."
)


def _coded(command: Callable[..., Any]) -> Callable[..., Any]:
    """Exit codes by which a scheduler tells a mistake from a machine's fault."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        from pipeline.core.machine.environment import establish, stated_instructions

        try:
            establish(stated_instructions())
        except PipelineError as error:
            say(f"error: {error}", error=True)
            raise typer.Exit(MISUSE) from None
        from pipeline.nightly.repository import Failed
        from pipeline.nightly.run import Busy

        try:
            return command(*args, **kwargs)
        except (Failed, Busy, OSError, MemoryError) as error:
            say(f"error: {error}; the next start goes on", error=True)
            raise typer.Exit(INFRASTRUCTURE) from None
        except PipelineError as error:
            say(f"error: {error}", error=True)
            raise typer.Exit(MISUSE) from None

    return wrapped


@handle_errors
@_coded
def run(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen and cost; touch nothing.")
    ] = False,
    backfill: Annotated[
        bool, typer.Option("--backfill", help="A run for each landing, in the order of names.")
    ] = False,
    retries: Annotated[
        int, typer.Option(min=0, help="Starts after one that the machine or the network failed.")
    ] = 0,
    backoff: Annotated[
        float, typer.Option(min=0, help="Seconds before the first retry; doubled each time.")
    ] = 300.0,
) -> None:
    """Finish the night that was begun; take what has landed; run, judge, commit, push, tell."""
    params, options = loaded()
    if dry_run:
        _show_plan(params, options)
        return
    try:
        night = _retried(lambda: _nights(params, options, backfill), retries, backoff)
    except Exception as error:
        _tell_failure(options, error)
        raise
    assert night.verdict
    say(f"{night.run}: {night.verdict.outcome} ({night.verdict.rule})")
    say(night.verdict.why)
    raise typer.Exit(CODES[night.verdict.outcome])


@handle_errors
def abandon() -> None:
    """Take back a run that has not ended, so that its landings are taken anew."""
    from pipeline.nightly.run import abandon

    night = abandon()
    say(f"{night.run} is abandoned; its landings lie in their inboxes, and the next run takes them")
    say("`dvc checkout --force` brings the data of the last commit back")


@handle_errors
def rerun(
    run: Run,
    folder: Annotated[Path, typer.Argument(help="A new folder, in which it is done.")],
) -> None:
    """Build what a night had computed anew, from its raw data alone; ends with 1 if it differs."""
    from pipeline.nightly.rerun import rerun

    count, other = rerun(run, folder, loaded()[1].dvc_remote)
    for name in other:
        say(f"{name} has another digest now")
    say(f"{count - len(other)} of {count} outputs of {run} have the same digest")
    if other:
        raise typer.Exit(1)


def _nights(params: Params, options: NightlyOptions, backfill: bool) -> Night:
    """The last night; with backfill there is one for each landing."""
    from pipeline.nightly.run import run
    from pipeline.nightly.tools import tools_of

    tools = tools_of(params, options)
    night = run(params, options, tools, one=backfill)
    while backfill:
        following = run(params, options, tools, one=True)
        assert following.verdict
        if following.verdict.outcome == "nothing":
            break
        night = following
    return night


def _retried(start: Callable[[], Night], retries: int, backoff: float) -> Night:
    """A night, started anew after failures of the machine or the network."""
    import time

    from pipeline.nightly.repository import Failed

    for attempt in range(retries):
        try:
            return start()
        except (Failed, OSError) as error:
            wait = backoff * 2**attempt
            say(f"{error}; again in {wait:g} s", error=True)
            time.sleep(wait)
    return start()


def _tell_failure(options: NightlyOptions, error: Exception) -> None:
    """Tell people of a night that did not end, unless it is another that is at work."""
    from pipeline.nightly.notify import notify
    from pipeline.nightly.run import Busy

    if not isinstance(error, Busy):
        notify(options.notify, f"{Path.cwd().name}: the night failed", f"{error}")


def _show_plan(params: Params, options: NightlyOptions) -> None:
    """What would come in, what would wait, and what that may cost."""
    from pipeline.nightly.choose import choose
    from pipeline.nightly.journal import read_journal
    from pipeline.nightly.ledger import read_ledger
    from pipeline.nightly.record import costs_per_file, read_records

    begun = read_journal()
    if begun:
        say(f"{begun.run} has not ended (state: {begun.state}); it would be finished first")
    choice: Choice = choose(options, read_ledger(), datetime.now(UTC))
    rows = [
        {
            "landing": f"{each.source}/{each.landing}",
            "becomes": f"data/raw/{each.source}/{each.batch}" if each.batch else "held",
            "files": each.files,
            "bytes": each.bytes,
            "why": each.why,
        }
        for each in choice.deliveries
    ]
    rows += [
        {"landing": name, "becomes": "left", "files": None, "bytes": None, "why": why}
        for name, why in choice.left.items()
    ]
    if not rows:
        say("nothing new has landed")
        return
    show(rows, ("landing", "becomes", "files", "bytes", "why"), False)
    files = sum(each.files for each in choice.deliveries if each.batch)
    kinds = ", ".join(f"{count:,} {name}" for name, count in sorted(choice.modalities.items()))
    each = costs_per_file(read_records())
    if each is None:
        cost = "no run has been yet by which their cost could be told"
    else:
        computed, seconds = (files * each[name] for name in ("computed_rows", "cpu_seconds"))
        cost = f"by past runs about {computed:,.0f} rows to compute and {seconds:,.0f} CPU-seconds"
    say(f"{files:,} files{f' ({kinds})' if kinds else ''}; {cost}")
