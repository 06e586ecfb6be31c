"""Everything that was refused, gathered from the parts of every stage."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

from pipeline.errors import PipelineError, unknown
from pipeline.parts import MANIFEST, read_manifest, rejects
from pipeline.records import Reject

TABLES = ("samples", "curated", "clean/*", "augmented/*", "features/*")


def collect(root: Path, stage: str = "") -> list[Reject]:
    """The rejects of every finished stage below `root`, or of one, in a fixed order.

    Raises
    ------
    PipelineError
        No stage has finished, or none is called `stage`.
    """
    folders = [manifest.parent for kind in TABLES for manifest in root.glob(f"{kind}/{MANIFEST}")]
    if not folders:
        raise PipelineError(f"no stage has finished below {root}: run `dvc repro`")
    found = [
        reject
        for folder in sorted(folders)
        for entry in read_manifest(folder)
        if entry.rejected
        for reject in rejects(folder, entry)
    ]
    stages = {reject.stage for reject in found}
    if stage and stage not in stages:
        raise PipelineError(unknown("stage with rejects", stage, stages))
    return sorted(reject for reject in found if stage in ("", reject.stage))


def as_json(found: Sequence[Reject]) -> str:
    """One JSON object a line."""
    return "".join(json.dumps(asdict(reject), ensure_ascii=False) + "\n" for reject in found)


def as_tables(found: Sequence[Reject]) -> str:
    """A table for each stage and reason, with the subjects and messages."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    with console.capture() as captured:
        if not found:
            console.print("nothing was refused")
        for (stage, reason), group in groupby(
            sorted(found, key=lambda reject: (reject.stage, reject.reason)),
            key=lambda reject: (reject.stage, reject.reason),
        ):
            rows = list(group)
            table = Table(title=f"{stage}: {len(rows)} {reason}", title_justify="left", expand=True)
            for column in ("batch", "what", "message"):
                table.add_column(column, overflow="fold")
            for reject in rows:
                table.add_row(
                    f"{reject.source}/{reject.batch}",
                    f"{reject.subject_kind} {reject.subject}",
                    reject.message,
                )
            console.print(table)
    return captured.get()
