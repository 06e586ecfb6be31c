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
    kept = [records(stage) for stage in stages]
    return [record for runs in kept for record in (runs if every else runs[-1:])]


def show_runs(runs: Sequence[Mapping[str, Any]], json: bool) -> None:
    """What each run did: parts computed, rows, and what they took; as JSON, all that is known."""
    if json or not runs:
        _show_lines(runs) if json else say("no stage has run here yet")
        return
    table = _table("stage", "started", "parts", "rows", "s", "CPU s", "MB", "", numbers=7)
    for run in runs:
        took = [f"{run[name]:.1f}" if name in run else "" for name in ("seconds", "cpu_seconds")]
        ended = outcome(run)
        cells = (
            run.get("stage", ""),
            str(run.get("started", ""))[5:16].replace("T", " "),
            f"{run['computed']} of {run['planned']}" if run.get("planned") else "",
            _rows(run),
            *took,
            run.get("peak_mb", ""),
            "" if ended == "done" else ended,
        )
        table.add_row(*map(text, cells))
    _show_table(table)


def show_forecasts(forecasts: Sequence[Forecast], json: bool) -> None:
    """What each stage would do, and why."""
    if json:
        _show_lines(map(asdict, forecasts))
        return
    table = _table("stage", "reused", "restored", "computed", "rows", "why", numbers=4)
    for forecast in forecasts:
        rows = _bound(forecast.rows, forecast.exact) if forecast.works else ""
        if forecast.reused_rows:
            rows += f", {forecast.reused_rows} taken over"
        parts = (forecast.reused, forecast.restored, forecast.computed)
        counts = [_bound(count, forecast.exact) for count in parts]
        table.add_row(*map(text, (forecast.stage, *counts, rows, "; ".join(forecast.reasons))))
    _show_table(table)


def _bound(count: int | None, exact: bool) -> str:
    """A number; the most that it can be; or `?` where nothing is known. 0 is left out."""
    if count is None:
        return "?"
    return f"{'' if exact else '≤ '}{count}" if count else ""


def _show_lines(objects: Iterable[Mapping[str, Any]]) -> None:
    for entry in objects:
        say(json_line(entry, sort_keys=True))


def _rows(run: Mapping[str, Any]) -> str:
    computed, reused = run.get("computed_rows"), run.get("reused_rows")
    texts = [
        f"{computed} {run.get('verb', 'computed')}" if computed else "",
        f"{reused} taken over" if reused else "",
    ]
    return ", ".join(filter(None, texts))


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


def _show_table(table: Table) -> None:
    import shutil
    import sys

    # In a pipe nothing is cut off; a terminal folds the longest column.
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 200
    say_tables(table, width=max(width, 80))
