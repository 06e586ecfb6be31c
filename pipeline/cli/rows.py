"""Rows of the store: the first, some by id, some by lot, those nearest, those of a query."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

import typer

from pipeline.cli.arguments import Json, Rev, Set, View, Where, command, store_of_command
from pipeline.cli.output import numbers, records_of, show

app = typer.Typer()
# Values of a vector that `show` and `sample` tell.
FIRST = 6
Count = Annotated[int, typer.Option("-n", min=1, help="Rows, at most.")]


@command(app)
def show_(
    name: Set, n: Count = 5, where: Where = "", view: View = 0, rev: Rev = "", json: Json = False
) -> None:
    """Show a set's first rows: what they are of, and their first values."""
    from pipeline.store.describe import first_rows

    _show_rows(first_rows(store_of_command(rev)[name], n, where or None, view), json)


@command(app)
def sample(
    name: Set,
    n: Count = 5,
    seed: Annotated[int, typer.Option(help="Another draw.")] = 0,
    where: Where = "",
    view: View = 0,
    rev: Rev = "",
    json: Json = False,
) -> None:
    """Draw rows by a hash of seed and digest: the same ones wherever and however often."""
    from pipeline.store.describe import sampled_rows

    _show_rows(sampled_rows(store_of_command(rev)[name], n, seed, where or None, view), json)


@command(app)
def get(
    name: Set,
    ids: Annotated[list[str], typer.Argument(help="Sample ids or asset digests.")],
    view: View = 0,
    rev: Rev = "",
    json: Json = False,
) -> None:
    """Print whole vectors by id, in the order asked for."""
    vectors = store_of_command(rev)[name].get(ids, view)
    rows = zip(ids, vectors, strict=True)
    show(
        ({"id": identity, "vector": numbers(row)} for identity, row in rows), ("id", "vector"), json
    )


@command(app)
def nearest(
    name: Set,
    query: Annotated[str, typer.Argument(help="A sample id or an asset digest.")],
    k: Annotated[int, typer.Option("-k", min=1, help="Neighbours.")] = 10,
    where: Where = "",
    approximate: Annotated[
        bool, typer.Option("--approximate", help="By an index that is built on first use.")
    ] = False,
    rev: Rev = "",
    json: Json = False,
) -> None:
    """List the nearest rows by cosine, best first: a sample that shows each, and how many do.

    With `--where`, of the samples that meet it.
    """
    from pipeline.store.describe import samples_showing

    features = store_of_command(rev)[name]
    neighbours = features.nearest(query, k, where or None, exact=not approximate)
    digests = [str(digest) for digest in neighbours.digests]
    samples = samples_showing(features, digests, where or None)
    show(
        (
            {
                "score": float(str(score)),
                "sample": next(iter(samples[digest]), digest),
                "shown_by": len(samples[digest]),
                "digest": digest,
            }
            for digest, score in zip(digests, neighbours.scores, strict=True)
        ),
        ("score", "sample", "shown_by"),
        json,
    )


@command(app)
def sql(
    query: Annotated[str, typer.Argument(help="One SELECT. Tables: the sets by name, samples, …")],
    seconds: Annotated[float, typer.Option(min=0, help="Time that the query may take.")] = 300.0,
    memory: Annotated[
        float, typer.Option(min=0, metavar="GB", help="Memory that it may take.")
    ] = 4.0,
    rows: Annotated[int, typer.Option(min=0, help="Rows that it may print.")] = 1_000_000,
    rev: Rev = "",
    json: Json = False,
) -> None:
    """Answer one SELECT, in DuckDB's SQL, as it comes."""
    from pipeline.store.sql.query import Limits
    from pipeline.store.views import stream

    with stream(store_of_command(rev), query, Limits(seconds, memory, rows)) as reader:
        records = (record for batch in reader for record in records_of(batch))
        show(records, reader.schema.names, json)


def _show_rows(rows: Iterable[Mapping[str, Any]], json: bool) -> None:
    from pipeline.store.describe import ROW_COLUMNS

    def records() -> Iterator[Mapping[str, Any]]:
        for row in rows:
            yield {
                **{key: row[key] for key in ROW_COLUMNS},
                "first": numbers(row["vector"].reshape(-1)[:FIRST]),
            }

    show(records(), (*ROW_COLUMNS, "first"), json)
