"""`pipeline store`: the feature store on the command line."""

from __future__ import annotations

import typer

from pipeline.cli import ask, browse, files, revisions, rows
from pipeline.cli.arguments import Json, MaybeSet, Rev, Set, View, Where, command, store_of_command
from pipeline.cli.output import show
from pipeline.core.nested import flatten
from pipeline.core.terminal import say

app = typer.Typer(
    help="The feature store: what is there, its rows, joins, exports; now or at a revision. "
    "A terminal gets tables; a pipe gets lines with tabs, the columns' names first.",
    no_args_is_help=True,
)


@command(app)
def ls(rev: Rev = "", json: Json = False) -> None:
    """List the feature sets: what made them, how many rows of what shape."""
    from pipeline.store.describe import SUMMARY_COLUMNS, summaries

    show(summaries(store_of_command(rev)), SUMMARY_COLUMNS, json)


@command(app)
def describe(name: Set, rev: Rev = "", json: Json = False) -> None:
    """Tell a set's columns, what made it, and its parts by batch and view."""
    from pipeline.store.describe import describe_set

    description = describe_set(store_of_command(rev)[name])
    if json:
        show([description], (), True)
    else:
        parts = {
            "{source}/{batch} view {view}".format(**part): part for part in description.pop("parts")
        }
        counts = ("parts", "rows", "rejected", "bytes")
        description["parts"] = {
            at: {count: part[count] for count in counts} for at, part in parts.items()
        }
        pairs = ({"name": name, "value": value} for name, value in flatten(description))
        show(pairs, ("name", "value"), False)


@command(app)
def stats(name: Set, where: Where = "", view: View = 0, rev: Rev = "", json: Json = False) -> None:
    """Tell norms, means, deviations, missing values and duplicates."""
    from pipeline.store.describe import value_statistics

    statistics = value_statistics(store_of_command(rev)[name], where or None, view)
    if json:
        show([statistics], (), True)
    else:
        pairs = ({"name": name, "value": value} for name, value in flatten(statistics))
        show(pairs, ("name", "value"), False)


@command(app)
def validate(name: MaybeSet = "", rev: Rev = "", json: Json = False) -> None:
    """Read every byte and list every problem; exit code 1 if there are any."""
    from pipeline.store.validate import validate_set

    store = store_of_command(rev)
    verdicts = [validate_set(store.tree, each) for each in ([store[name].name] if name else store)]
    counts = ("name", "parts", "rows", "mapped", "decoded")
    show(
        (
            {**{key: getattr(verdict, key) for key in counts}, "problems": len(verdict.problems)}
            for verdict in verdicts
        ),
        (*counts, "problems"),
        json,
    )
    for verdict in verdicts:
        for file, what in verdict.problems:
            say(f"{verdict.name}/{file}: {what}", error=True)
    if any(verdict.problems for verdict in verdicts):
        raise typer.Exit(1)


@command(app)
def index(name: MaybeSet = "", rev: Rev = "", json: Json = False) -> None:
    """Build now what `get` would build when first asked: which row an id stands for."""
    from pipeline.store.nearest.index import id_index

    store = store_of_command(rev)
    show(
        (
            {
                "name": set_name,
                "view": view,
                "by": kind,
                "ids": len(id_index(features, view, kind).ids),
            }
            for set_name in ([name] if name else store)
            for features in [store[set_name]]
            for view in features.views
            for kind in ("digest", "sample_id")
        ),
        ("name", "view", "by", "ids"),
        json,
    )


for group in (rows, ask, files, revisions, browse):
    app.add_typer(group.app)
