"""`pipeline rejects`: what was refused, and why, in counts with examples; and what is absent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.errors import handle_errors
from pipeline.core.errors import PipelineError, unknown
from pipeline.core.folders import DATA
from pipeline.core.terminal import json_line, say, say_tables, text

if TYPE_CHECKING:
    from pipeline.store.rejects import Absence, NamedReject

# Rejects of one stage and reason that are shown where none are asked for.
EXAMPLES = 5


@handle_errors
def rejects(
    stage: Annotated[str, typer.Option(help="Only this stage, e.g. clean/image.")] = "",
    reason: Annotated[str, typer.Option(help="Only this reason, e.g. failed.")] = "",
    limit: Annotated[
        int | None,
        typer.Option(min=0, help=f"Most rejects a stage and reason; {EXAMPLES} if not given."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All rejects.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line; all, if no limit is given.")
    ] = False,
) -> None:
    """Show what was refused, why, by stage, and what helps; of rows that failed, the tracebacks.

    Of a stage that failed, it is what it refused then. Samples that a model sees nothing of are no
    rejects: they are counted beside.
    """
    from pipeline.params import load
    from pipeline.stages.graph import labels
    from pipeline.store.rejects import absences, collect, reject_folders
    from pipeline.store.trees.tree import WorkTree

    params = load()
    known = labels(params)
    if stage and stage not in known:
        raise PipelineError(unknown("stage", stage, known))
    tree = WorkTree(Path(DATA))
    refused = collect(tree, reject_folders(params.modalities, params.features), stage)
    refused = [reject for reject in refused if reason in ("", reject.reason)]
    most = None if every or (json and limit is None) else EXAMPLES if limit is None else limit
    if json:
        show_lines(refused, most)
        return
    show_rejects(refused, most)
    if not reason:
        show_absences(
            [one for one in absences(tree, params.models) if stage in ("", f"train/{one.model}")]
        )


def _by_kind(
    refused: Iterable[NamedReject],
) -> Iterable[tuple[tuple[str, str], list[NamedReject]]]:
    def kind(reject: NamedReject) -> tuple[str, str]:
        return reject.stage, reject.reason

    for key, group in groupby(sorted(refused, key=kind), key=kind):
        yield key, list(group)


def show_lines(refused: Iterable[NamedReject], most: int | None) -> None:
    """One JSON object a line, at most so many of each stage and reason."""
    for _, group in _by_kind(refused):
        for reject in group[:most]:
            say(json_line(asdict(reject)))


def show_rejects(refused: Sequence[NamedReject], most: int | None) -> None:
    """For each stage and reason their number, what helps, and a table of the first `most`.

    Below what a row function raised on stand the files that hold its tracebacks.
    """
    from rich.table import Table

    from pipeline.core.failure_log import logs_of

    if not refused:
        say("nothing was refused")
    for (stage, reason), rows in _by_kind(refused):
        table = Table(
            title=text(f"{stage}: {len(rows):,} {reason}"), title_justify="left", expand=True
        )
        for column in ("batch", "what", "message"):
            table.add_column(column, overflow="fold")
        for reject in rows[:most]:
            cells = (f"{reject.source}/{reject.batch}", _subject(reject), reject.message)
            table.add_row(*map(text, cells))
        say_tables(table)
        if fix := rows[0].fix:
            say(f"fix: {fix}")
        if most is not None and len(rows) > most:
            say(f"and {len(rows) - most:,} more: --all shows them, --limit more of each")
        if reason == "failed":
            paths = logs_of(stage, {reject.digest for reject in rows})
            say(f"tracebacks: {', '.join(map(str, paths)) or 'none here; computed elsewhere'}")


def _subject(reject: NamedReject) -> str:
    """The file, with the digest of an asset below it; a sample's id."""
    subject = f"{reject.subject_kind} {reject.subject}"
    if not reject.file:
        return subject
    return f"{reject.file}, {subject}" if reject.subject_kind == "asset" else reject.file


def show_absences(absences: Sequence[Absence]) -> None:
    """Models that see nothing of some samples, which is no refusal, and how many."""
    from rich.table import Table

    lacking = [one for one in absences if one.absent]
    if not lacking:
        return
    say("absent: samples that have none of a model's modalities")
    table = Table()
    for column in ("model", "split", "samples", "of them absent"):
        table.add_column(column)
    for one in lacking:
        counts = (f"{one.seen + one.absent:,}", f"{one.absent:,}")
        table.add_row(*map(text, (one.model, one.split, *counts)))
    say_tables(table)
