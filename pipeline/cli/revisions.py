"""The store over time: what differs between two revisions, and when sets changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.arguments import Json, Rev, command, store_of_command
from pipeline.cli.output import show

if TYPE_CHECKING:
    from pipeline.store.diff import StoreDifference

app = typer.Typer()
COUNTS = ("added", "removed", "changed")


@command(app)
def diff(
    a: Annotated[str, typer.Argument(metavar="A", help="The earlier branch, tag or commit.")],
    b: Annotated[
        str, typer.Argument(metavar="[B]", help="The later; without it, the work tree.")
    ] = "",
    tolerance: Annotated[
        float, typer.Option(help="A row changed if a value did by more than this.")
    ] = 0.0,
    rows: Annotated[bool, typer.Option("--rows", help="Every row, not only their number.")] = False,
    json: Json = False,
) -> None:
    """Count, or list, the rows that were added, removed or changed; read only what differs."""
    difference = store_of_command("").diff(a, b or None, tolerance)
    if rows:
        show(_rows(difference), ("name", "what", "digest", "view", "by"), json)
    else:
        show(_sets(difference), ("name", *COUNTS, "told"), json)


@command(app)
def log(rev: Rev = "", json: Json = False) -> None:
    """List the commits in which feature sets changed, newest first."""
    from pipeline.store.trees.history import history

    show(
        (
            {
                "commit": change.commit if json else change.commit[:8],
                "date": change.date.isoformat(),
                "changes": dict(change.changes),
                "subject": change.subject,
            }
            for change in history(Path(), rev or "HEAD")
        ),
        ("commit", "date", "changes", "subject"),
        json,
    )


def _sets(difference: StoreDifference) -> Iterator[dict[str, Any]]:
    for names, side in (
        (difference.added, difference.after),
        (difference.removed, difference.before),
    ):
        for name in names:
            yield {"name": name, **dict.fromkeys(COUNTS), "told": f"only {side} has it"}
    for name, changes in difference.sets.items():
        yield {"name": name, **changes.counts, "told": "; ".join(changes.messages)}


def _rows(difference: StoreDifference) -> Iterator[dict[str, Any]]:
    for name, changes in difference.sets.items():
        for what in COUNTS:
            for batch in getattr(changes, what).to_batches():
                for row in batch.to_pylist():
                    yield {"name": name, "what": what, "by": None, **row}
