"""`pipeline gc`: what no kept revision needs leaves DVC's cache or a remote."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.errors import handle_errors
from pipeline.cli.output import show
from pipeline.core.terminal import say


@handle_errors
def gc(
    keep_nights: Annotated[
        int, typer.Option(min=1, help="Versions of the data of the last nights.")
    ] = 30,
    keep_months: Annotated[
        int, typer.Option(min=0, help="Months of which the last version stays.")
    ] = 12,
    remote: Annotated[
        str, typer.Option(help="A remote of DVC's instead of the cache; others may push there.")
    ] = "",
    grace_hours: Annotated[
        float, typer.Option(min=0, help="What was written so lately is left.")
    ] = 24.0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go, and remove nothing.")
    ] = False,
) -> None:
    """Remove what no kept revision needs; every kept one is proven to have all that it had.

    Kept are what is checked out, branches, tags, experiments, models in use and all that ever were,
    and of the nights the last versions of the data and the last one of each month.
    """
    from pipeline.core.files.lock import locked
    from pipeline.nightly.journal import LOCK
    from pipeline.nightly.retention import Keep, sweep

    with locked(LOCK):
        swept = sweep(Keep(keep_nights, keep_months), not dry_run, remote, 3600 * grace_hours)
    show(
        (
            {
                "revision": revision.name,
                "commit": revision.commit[:12],
                "reason": revision.reason,
                "objects": len(revision.objects),
                "lacking": len(revision.lacking),
            }
            for revision in swept.revisions
        ),
        ("revision", "commit", "reason", "objects", "lacking"),
        False,
    )
    say("")
    rows = [
        {"what": f"kept: {why}", "files": swept.kept_files[why], "bytes": size}
        for why, size in swept.kept_bytes.items()
    ]
    gone = "would go" if dry_run else "removed"
    rows.append({"what": gone, "files": len(swept.removed), "bytes": sum(swept.removed.values())})
    show(rows, ("what", "files", "bytes"), False)
