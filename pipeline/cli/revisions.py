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
    found = store_of_command("").diff(a, b or None, tolerance)
    if rows:
        show(_rows(found), ("name", "what", "digest", "view", "by"), json)
    else:
        show(_sets(found), ("name", *COUNTS, "told"), json)


@command(app)
def log(rev: Rev = "", json: Json = False) -> None:
    """List the commits in which feature sets changed, newest first."""
    from pipeline.store.trees.history import history

    show(
        (
            {
                "commit": one.commit if json else one.commit[:8],
                "date": one.date.isoformat(),
                "changes": dict(one.changes),
                "subject": one.subject,
            }
            for one in history(Path(), rev or "HEAD")
        ),
        ("commit", "date", "changes", "subject"),
        json,
    )


def _sets(found: StoreDifference) -> Iterator[dict[str, Any]]:
    for names, side in ((found.added, found.after), (found.removed, found.before)):
        for name in names:
            yield {"name": name, **dict.fromkeys(COUNTS), "told": f"only {side} has it"}
    for name, one in found.sets.items():
        yield {"name": name, **one.counts, "told": "; ".join(one.messages)}


def _rows(found: StoreDifference) -> Iterator[dict[str, Any]]:
    for name, one in found.sets.items():
        for what in COUNTS:
            for batch in getattr(one, what).to_batches():
                for row in batch.to_pylist():
                    yield {"name": name, "what": what, "by": None, **row}
