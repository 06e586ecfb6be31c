"""Runs and forecasts as people read them on a terminal, and as programs do."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pipeline.runs import records

if TYPE_CHECKING:
    from rich.table import Table

    from pipeline.forecast import Forecast

PARTS = ("planned", "reused", "restored", "computed", "removed")


def runs(stages: Sequence[str], every: bool) -> list[dict[str, Any]]:
    """Run records, those of each stage in turn: all of them, or the last."""
    found = {stage: records(stage) for stage in stages}
    return [one for stage in stages for one in (found[stage] if every else found[stage][-1:])]


def as_json(found: Iterable[Mapping[str, Any]]) -> str:
    """One JSON object a line."""
    return "".join(json.dumps(one, ensure_ascii=False, sort_keys=True) + "\n" for one in found)


def runs_table(found: Sequence[Mapping[str, Any]]) -> str:
    """What each run did: its parts, its rows, and what they took."""
    table = _table("stage", "started", *PARTS, "rows", "wall s", "CPU s", "GPU s", "peak MB", "")
    for one in found:
        counts = [str(one.get(name, "")) for name in PARTS]
        took = [f"{one.get(name, 0):.1f}" for name in ("seconds", "cpu_seconds", "gpu_seconds")]
        table.add_row(
            str(one.get("stage", "")),
            str(one.get("started", ""))[:19],
            *counts,
            _rows(one),
            *took,
            str(one.get("peak_mb", "")),
            "" if one.get("outcome") == "done" else str(one.get("outcome", "")),
        )
    return _shown(table) if found else "no stage has run here yet\n"


def forecasts_table(found: Sequence[Forecast]) -> str:
    """What each stage would do, and why."""
    table = _table("stage", "reused", "restored", "computed", "rows", "why", numbers=4)
    for one in found:
        rows = f"{'' if one.exact else '≤ '}{one.rows}" if one.works else ""
        taken = f"{rows}, {one.taken} taken over" if one.taken else rows
        counts = [str(n) if n else "" for n in (one.reused, one.restored, one.computed)]
        table.add_row(one.stage, *counts, taken, "; ".join(one.reasons))
    return _shown(table)


def forecasts_json(found: Iterable[Forecast]) -> str:
    return as_json(map(asdict, found))


def _rows(one: Mapping[str, Any]) -> str:
    told = f"{one['worked']} {one.get('verb', 'computed')}" if one.get("worked") else ""
    taken = f"{one['taken']} taken over" if one.get("taken") else ""
    return ", ".join(filter(None, (told, taken)))


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


def _shown(table: Table) -> str:
    import shutil
    import sys

    from rich.console import Console

    # In a pipe nothing is cut off; a terminal folds the last column.
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 200
    console = Console(width=max(width, 100))
    with console.capture() as captured:
        console.print(table)
    return captured.get()
