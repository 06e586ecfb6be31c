"""Progress of long work: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.job import Made


def track(stage: str, made: Iterable[Made], rows: Mapping[str, int]) -> Iterator[Made]:
    """Pass parts through as they are made, counting their rows.

    Parameters
    ----------
    rows:
        Key → number of rows of every part that is to be made.
    """
    if not sys.stderr.isatty():
        yield from made
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rows"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(stage, total=sum(rows.values()))
        for one in made:
            progress.advance(task, rows[one.entry.key])
            yield one
