"""`pipeline nightly`: what landed, judged each night; and what people decide about it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.arguments import Json
from pipeline.cli.errors import handle_errors
from pipeline.cli.output import show
from pipeline.core.errors import PipelineError, unknown
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

app = typer.Typer(
    help="What lands is taken in, judged and promoted or held, without people.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
Who = Annotated[str, typer.Option("--who", help="Who decides this.")]
Why = Annotated[str, typer.Option("--why", help="Why, for those who ask later.")]
Run = Annotated[str, typer.Argument(metavar="RUN", help="A run; `history` lists them.")]
AliasName = Annotated[str, typer.Option("--alias", help="The alias of aliases.yaml.")]
Batch = Annotated[str, typer.Argument(metavar="SOURCE/BATCH", help="As `held` lists it.")]


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


@app.command(epilog=EXITS)
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
    params, options = _loaded()
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


@app.command()
@handle_errors
def abandon() -> None:
    """Take back a run that has not ended, so that its landings are taken anew."""
    from pipeline.nightly.run import abandon

    night = abandon()
    say(f"{night.run} is abandoned; its landings lie in their inboxes, and the next run takes them")
    say("`dvc checkout --force` brings the data of the last commit back")


@app.command()
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

    chosen = model or _loaded()[1].model
    say(decide.promote(run, chosen, alias, who, why, datetime.now(UTC)))


@app.command()
@handle_errors
def hold(run: Run, who: Who, why: Why, alias: AliasName = "champion") -> None:
    """Say that the model of a run is not to be used."""
    from pipeline.nightly import decide

    say(decide.hold(run, alias, who, why, datetime.now(UTC)))


@app.command()
@handle_errors
def rollback(run: Run, who: Who, why: Why, alias: AliasName = "champion") -> None:
    """Let an alias be again what it was before a run was promoted; nothing is computed."""
    from pipeline.nightly import decide

    say(decide.rollback(run, alias, who, why, datetime.now(UTC)))


@app.command()
@handle_errors
def held(json: Json = False) -> None:
    """List the batches that stay out until somebody decides, with why."""
    from pipeline.nightly.decide import held
    from pipeline.nightly.ledger import read_ledger

    rows = held(read_ledger())
    if rows or json:
        show(rows, ("name", "landing", "run", "who", "why", "where"), json)
    else:
        say("nothing is held")


@app.command()
@handle_errors
def release(batch: Batch, who: Who, why: Why) -> None:
    """Let the next run take a batch that is held, as it is."""
    from pipeline.nightly import decide

    say(decide.release(*_split(batch), who, why, datetime.now(UTC)))


@app.command()
@handle_errors
def discard(batch: Batch, who: Who, why: Why) -> None:
    """Say that a batch that is held never comes in."""
    from pipeline.nightly import decide

    say(decide.discard(*_split(batch), who, why, datetime.now(UTC)))


@app.command()
@handle_errors
def withdraw(batch: Batch, who: Who, why: Why) -> None:
    """Take a batch that came in out again; the next run goes without it."""
    from pipeline.nightly import decide

    say(decide.withdraw(*_split(batch), who, why, datetime.now(UTC)))


@app.command()
@handle_errors
def rerun(
    run: Run,
    folder: Annotated[Path, typer.Argument(help="A new folder, in which it is done.")],
) -> None:
    """Build what a night had computed anew, from its raw data alone; ends with 1 if it differs."""
    from pipeline.nightly.rerun import rerun

    count, other = rerun(run, folder, _loaded()[1].dvc_remote)
    for name in other:
        say(f"{name} has another digest now")
    say(f"{count - len(other)} of {count} outputs of {run} have the same digest")
    if other:
        raise typer.Exit(1)


COLUMNS = (
    "run",
    "outcome",
    "rule",
    "landed_files",
    "computed_rows",
    "seconds",
    "cpu_seconds",
    "why",
)


@app.command()
@handle_errors
def history(
    last: Annotated[int, typer.Option(min=1, help="How many runs, the newest.")] = 30,
    json: Json = False,
) -> None:
    """List the last runs, the newest first."""
    from pipeline.nightly.record import read_records

    rows = [*reversed(read_records(last))]
    if not rows and not json:
        say("no night has been yet: `pipeline nightly run`")
        return
    show(rows, COLUMNS, json)


@app.command(name="show")
@handle_errors
def show_run(run: Run, json: Json = False) -> None:
    """Show all that is recorded of a run."""
    from pipeline.nightly.record import read_record

    record = read_record(run)
    if json:
        show([record], tuple(record), True)
        return
    lists = {name: value for name, value in record.items() if isinstance(value, list) and value}
    single = [
        {"what": name, "value": str(value)}
        for name, value in record.items()
        if not isinstance(value, list) and value is not None
    ]
    show(single, ("what", "value"), False)
    for name, rows in lists.items():
        say(f"\n{name}")
        show(rows, tuple(rows[0]), False)


@app.command()
@handle_errors
def status(json: Json = False) -> None:
    """Say what is in use, what the last run was, what is under way, held and waiting."""
    from pipeline.nightly.status import status

    rows = status(_loaded()[1], datetime.now(UTC))
    show(rows, ("what", "value"), json)


@app.command()
@handle_errors
def schedule(
    system: Annotated[
        str,
        typer.Option(
            "--as", help="systemd | cron | github-actions | gitlab | airflow | kubernetes"
        ),
    ],
    image: Annotated[str, typer.Option(help="Container that Kubernetes starts.")] = "",
) -> None:
    """Print a unit by which a scheduler runs a night, as `schedule` of nightly.yaml says."""
    import re
    import shutil

    from pipeline.nightly.schedule import SYSTEMS, Job

    if system not in SYSTEMS:
        raise PipelineError(unknown("scheduler", system, SYSTEMS))
    here = Path.cwd()
    name = re.sub(r"[^a-z0-9]+", "-", here.name.lower()).strip("-") or "project"
    elsewhere = system in ("github-actions", "gitlab", "kubernetes")
    command = "pipeline" if elsewhere else shutil.which("pipeline") or sys.argv[0]
    job = Job(_loaded()[1].schedule, name, str(here), command, image)
    say(SYSTEMS[system](job), end="")


@app.command(name="learn-contract")
@handle_errors
def learn_contract(
    sources: Annotated[
        list[str] | None, typer.Argument(metavar="[SOURCE]...", help="All with an inbox if none.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print params.yaml as it would be.")
    ] = False,
) -> None:
    """Write into params.yaml what the batches of a source have been like, as limits for the next.

    Limits are robust quantiles over the batches that stand; a person may change any of them.
    """
    from pipeline.core.files.atomic import atomic_write
    from pipeline.core.machine.environment import establish, stated_instructions

    establish(stated_instructions())
    from pipeline.nightly.watch import with_learnt_contract

    params, options = _loaded()
    wanted = sources or [*options.inbox]
    if wrong := [name for name in wanted if name not in params.sources]:
        raise PipelineError(unknown("source", wrong[0], params.sources))
    path = Path("params.yaml")
    text = with_learnt_contract(path.read_text(encoding="utf-8"), params, wanted)
    if dry_run:
        say(text, end="")
        return
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    say(f"params.yaml has the contract of {', '.join(wanted)}; the next run commits it")


@app.command()
@handle_errors
def simulate(
    folder: Annotated[Path, typer.Argument(help="A new folder, in which the nights are lived.")],
    source: Annotated[
        str, typer.Option(help="Whose largest batch is cut; the inbox's if none.")
    ] = "",
    nights: Annotated[int, typer.Option(min=1, help="How many.")] = 30,
    seed: Annotated[int, typer.Option(help="Of the plan.")] = 0,
    share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Of the batch's samples, how many land.")
    ] = 1.0,
    json: Json = False,
) -> None:
    """Live through nights of this project's own data with planted faults, in a copy of it.

    Each fault must get the right verdict, and what was accepted must be what a clean build gives.
    Ends with 1 where something was not as it should be.
    """
    from dataclasses import asdict

    from pipeline.core.machine.environment import establish, stated_instructions

    establish(stated_instructions())
    from pipeline.nightly.simulation.nights import Lived, simulate

    params, options = _loaded()
    source = source or next(iter(options.inbox))
    rows: list[dict[str, Any]] = []
    proofs: list[str] = []
    for lived in simulate(params, options, source, folder, nights, seed, share):
        if isinstance(lived, Lived):
            rows.append(asdict(lived))
            planted, cpu = lived.planted or "calm", lived.cpu_seconds
            say(f"{lived.night}: {planted}: {lived.outcome}, {cpu:.0f} CPU-seconds", error=True)
        else:
            proofs = [name.replace("_", " ") for name, holds in asdict(lived).items() if not holds]
    show(rows, tuple(rows[0]), json)
    wrong = [row["night"] for row in rows if not row["right"]]
    if wrong:
        say(f"not as they should be: {', '.join(wrong)}", error=True)
    for name in proofs:
        say(f"a {name} of what was accepted differs from what nights made of it", error=True)
    if wrong or proofs:
        raise typer.Exit(1)


def _loaded() -> tuple[Params, NightlyOptions]:
    from pipeline.nightly.options import load_options
    from pipeline.params import load

    params = load()
    return params, load_options(params)


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
    from pipeline.nightly.record import cpu_seconds_per_file, read_records

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
    files = sum(each.files for each in choice.deliveries)
    each_costs = cpu_seconds_per_file(read_records())
    if each_costs is None:
        say(f"{files} files; no run has been yet by which their cost could be told")
    else:
        say(f"{files} files; by past runs about {files * each_costs:,.0f} CPU-seconds")


def _split(batch: str) -> tuple[str, str]:
    source, slash, name = batch.partition("/")
    if not (source and slash and name):
        raise PipelineError(f"'{batch}' names no batch: give SOURCE/BATCH, as `held` lists it")
    return source, name
