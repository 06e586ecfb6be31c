"""Results of the store in files: a set in another form, a join's matrices."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.arguments import AsOf, Force, Rev, Set, View, Where, command, store_of_command
from pipeline.core.terminal import say

app = typer.Typer()
Output = Annotated[Path, typer.Option("--output", "-o", metavar="PATH", help="What to write.")]


@command(app)
def export(
    name: Set,
    output: Output,
    form: Annotated[
        str,
        typer.Option(
            help="parquet, arrow, npy, safetensors, csv, jsonl, lance or huggingface; "
            "without it, what the suffix says."
        ),
    ] = "",
    where: Where = "",
    view: View = 0,
    force: Force = False,
    rev: Rev = "",
) -> None:
    """Write a set in another form, block by block."""
    from pipeline.store.files.export import export_set

    rows = export_set(store_of_command(rev)[name], output, form, where or None, view, force)
    say(f"{output}: {rows} rows", error=True)


@command(app)
def join(
    names: Annotated[list[str], typer.Argument(metavar="SETS…", help="Feature sets.")],
    output: Output,
    where: Where = "",
    split: Annotated[str, typer.Option(help="train, validation or test alone.")] = "",
    view: View = 0,
    as_of: AsOf = "",
    force: Force = False,
    rev: Rev = "",
) -> None:
    """Write aligned matrices, what is present, ids and targets: .npz, .safetensors, .parquet."""
    from pipeline.store.files.matrices import check_joined, write_joined

    store = store_of_command(rev)
    check_joined(output, store.project, force)
    joined = store.join(names, where or None, split or None, view, as_of or None)
    write_joined(joined, output)
    say(f"{output}: {len(joined.sample_ids)} samples", error=True)
