"""Questions to the store: what is like this, and where does that come from."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.arguments import (
    Force,
    Json,
    Rev,
    Set,
    Where,
    command,
    compute_as,
    store_of_command,
)
from pipeline.cli.output import show
from pipeline.core.errors import PipelineError
from pipeline.core.folders import FEATURES
from pipeline.core.nested import flatten
from pipeline.core.terminal import say

app = typer.Typer()


@command(app)
def search(
    name: Set,
    question: Annotated[
        str,
        typer.Argument(
            help="Words, for texts or sets of their space; a picture's or sound's file; or an id."
        ),
    ],
    k: Annotated[int, typer.Option("-k", min=1, help="Samples.")] = 12,
    where: Where = "",
    each: Annotated[
        str, typer.Option(metavar="MODALITY", help="Only the best sample of each asset of it.")
    ] = "",
    approximate: Annotated[
        bool, typer.Option("--approximate", help="By an index that is built on first use.")
    ] = False,
    sheet: Annotated[
        str, typer.Option(metavar="FILE", help="Also write a page with pictures, words, sounds.")
    ] = "",
    force: Force = False,
    rev: Rev = "",
    json: Json = False,
) -> None:
    """List the samples nearest to words, a picture or a sound, cleaned and encoded as the set.

    For a feature set of texts, each sample's text is shown.
    """
    # An id is asked of any processor; of words and files it is said later what is wrong.
    with suppress(PipelineError):
        compute_as(name, rev)
    from pipeline.modalities import modality_of
    from pipeline.search.contents import read_contents
    from pipeline.search.hits import search_samples
    from pipeline.search.question import question as understood
    from pipeline.store.files.output_path import check_free

    store = store_of_command(rev)
    if sheet:
        check_free(Path(sheet), store.project, force)
    asked = understood(store, name, question)
    hits = search_samples(store, name, asked.query, k, where or None, not approximate, each or None)
    if sheet:
        from pipeline.core.files.atomic import atomic_write
        from pipeline.search.page import sheet as drawn

        page = drawn(store, name, asked, hits, where or None)
        with atomic_write(Path(sheet)) as temporary:
            temporary.write_text(page, encoding="utf-8")
        say(f"{sheet}: the page", error=True)
    modality = store[name].modality
    digests = {hit.digests[modality] for hit in hits} if modality_of(modality).INLINE else set()
    words = read_contents(store.tree, modality, digests)
    show(
        (
            {"score": float(f"{hit.score:.4f}"), "sample": hit.sample_id}
            | ({modality: words.get(hit.digests[modality])} if digests else {})
            | {"targets": hit.targets}
            | ({"digests": hit.digests} if json else {})
            for hit in hits
        ),
        ("score", "sample", *([modality] if digests else []), "targets"),
        json,
    )


@command(app)
def trace(
    sample: Annotated[str, typer.Argument(metavar="SAMPLE", help="A sample's id.")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Also compute its rows again, and compare.")
    ] = False,
    rev: Rev = "",
    json: Json = False,
) -> None:
    """Tell where a sample's numbers come from: predictions, feature rows, assets, source files.

    `--verify` exits with 1 if a row comes out otherwise than it is stored.
    """
    if verify and rev:
        raise PipelineError("--verify computes with the code that is here: leave out --rev")
    if verify:
        from pipeline.store.trees.opening import open_tree

        for features in islice(open_tree(Path()).names(FEATURES), 1):
            compute_as(features)
    store = store_of_command(rev)
    lineage = store.trace(sample)
    if verify:
        from dataclasses import asdict

        from pipeline.params import load
        from pipeline.stages.verify import verify as verify_sample

        lineage["verified"] = {
            row.stage: asdict(row) for row in verify_sample(load(), store, sample)
        }
    if json:
        show([lineage], (), True)
    else:
        pairs = ({"name": name, "value": value} for name, value in flatten(lineage))
        show(pairs, ("name", "value"), False)
    if not all(row["equal"] for row in lineage.get("verified", {}).values()):
        raise typer.Exit(1)
