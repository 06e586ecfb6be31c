"""What became of runs, and how things stand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from pipeline.cli.arguments import Json
from pipeline.cli.errors import handle_errors
from pipeline.cli.nightly.decisions import Run
from pipeline.cli.nightly.files import loaded
from pipeline.cli.output import show
from pipeline.core.terminal import say

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


@handle_errors
def status(json: Json = False) -> None:
    """Say what is in use, what the last run was, what is under way, held and waiting."""
    from pipeline.nightly.status import status

    rows = status(loaded()[1], datetime.now(UTC))
    show(rows, ("what", "value"), json)
