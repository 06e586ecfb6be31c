"""Runs and forecasts as people read them on a terminal, and as programs do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pipeline.core.terminal import json_line, say, say_tables, text
from pipeline.execution.run_record import outcome, records

if TYPE_CHECKING:
    from rich.table import Table

    from pipeline.stages.forecast import Forecast


def run_records(stages: Sequence[str], every: bool) -> list[dict[str, Any]]:
    """Run records, those of each stage in turn: all of them, or the last."""
    found = {stage: records(stage) for stage in stages}
    return [one for stage in stages for one in (found[stage] if every else found[stage][-1:])]


def show_runs(found: Sequence[Mapping[str, Any]], json: bool) -> None:
    """What each run did: parts computed, rows, and what they took; as JSON, all that is known."""
    if json or not found:
        _lines(found) if json else say("no stage has run here yet")
        return
    table = _table("stage", "started", "parts", "rows", "s", "CPU s", "MB", "", numbers=7)
    for one in found:
        took = [f"{one[name]:.1f}" if name in one else "" for name in ("seconds", "cpu_seconds")]
        ended = outcome(one)
        cells = (
            one.get("stage", ""),
            str(one.get("started", ""))[5:16].replace("T", " "),
            f"{one['computed']} of {one['planned']}" if one.get("planned") else "",
            _rows(one),
            *took,
            one.get("peak_mb", ""),
            "" if ended == "done" else ended,
        )
        table.add_row(*map(text, cells))
    _show(table)


def show_forecasts(found: Sequence[Forecast], json: bool) -> None:
    """What each stage would do, and why."""
    if json:
        _lines(map(asdict, found))
        return
    table = _table("stage", "reused", "restored", "computed", "rows", "why", numbers=4)
    for one in found:
        rows = _bound(one.rows, one.exact) if one.works else ""
        taken = f"{rows}, {one.taken} taken over" if one.taken else rows
        counts = [_bound(n, one.exact) for n in (one.reused, one.restored, one.computed)]
        table.add_row(*map(text, (one.stage, *counts, taken, "; ".join(one.reasons))))
    _show(table)


def _bound(count: int | None, exact: bool) -> str:
    """A number; the most that it can be; or `?` where nothing is known. 0 is left out."""
    if count is None:
        return "?"
    return f"{'' if exact else '≤ '}{count}" if count else ""


def _lines(found: Iterable[Mapping[str, Any]]) -> None:
    for one in found:
        say(json_line(one, sort_keys=True))


def _rows(one: Mapping[str, Any]) -> str:
    worked, copied = one.get("computed_rows"), one.get("reused_rows")
    told = f"{worked} {one.get('verb', 'computed')}" if worked else ""
    taken = f"{copied} taken over" if copied else ""
    return ", ".join(filter(None, (told, taken)))


def _table(*columns: str, numbers: int = 11) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        number = 0 < place < numbers and column not in ("started", "rows", "why")
        fold = column in ("why", "rows")
        table.add_column(
            column, justify="right" if number else "left", overflow="fold", no_wrap=not fold
        )
    return table


def _show(table: Table) -> None:
    import shutil
    import sys

    # In a pipe nothing is cut off; a terminal folds the longest column.
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 200
    say_tables(table, width=max(width, 80))
