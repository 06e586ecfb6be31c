"""Runs and forecasts as people read them on a terminal, and as programs do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pipeline.core.terminal import json_line, say, say_tables, text
from pipeline.execution.run_record import records

if TYPE_CHECKING:
    from rich.table import Table

    from pipeline.stages.forecast import Forecast

PARTS = ("planned", "reused", "restored", "computed", "removed")


def run_records(stages: Sequence[str], every: bool) -> list[dict[str, Any]]:
    """Run records, those of each stage in turn: all of them, or the last."""
    kept = [records(stage) for stage in stages]
    return [record for runs in kept for record in (runs if every else runs[-1:])]


def show_runs(runs: Sequence[Mapping[str, Any]], json: bool) -> None:
    """What each run did: its parts, its rows, and what they took."""
    if json or not runs:
        _show_lines(runs) if json else say("no stage has run here yet")
        return
    table = _table("stage", "started", *PARTS, "rows", "wall s", "CPU s", "GPU s", "peak MB", "")
    for run in runs:
        counts = [str(run.get(name, "")) for name in PARTS]
        times = [f"{run.get(name, 0):.1f}" for name in ("seconds", "cpu_seconds", "gpu_seconds")]
        cells = (
            run.get("stage", ""),
            str(run.get("started", ""))[:19],
            *counts,
            _rows(run),
            *times,
            run.get("peak_mb", ""),
            "" if run.get("outcome") == "done" else run.get("outcome", ""),
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
        rows = f"{'' if forecast.exact else '≤ '}{forecast.rows}" if forecast.works else ""
        if forecast.reused_rows:
            rows += f", {forecast.reused_rows} taken over"
        parts = [
            str(n) if n else "" for n in (forecast.reused, forecast.restored, forecast.computed)
        ]
        table.add_row(*map(text, (forecast.stage, *parts, rows, "; ".join(forecast.reasons))))
    _show_table(table)


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
        fold = column == "why"
        table.add_column(
            column, justify="right" if number else "left", overflow="fold", no_wrap=not fold
        )
    return table


def _show_table(table: Table) -> None:
    import shutil
    import sys

    # In a pipe nothing is cut off; a terminal folds the last column.
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 200
    say_tables(table, width=max(width, 100))
