"""The store to look at: a map of one set's rows in Embedding Atlas, on this machine alone."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.arguments import Rev, Set, View, Where, command, store_of_command
from pipeline.core.errors import PipelineError

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.store import Store
    from pipeline.store.feature_set import FeatureSet

app = typer.Typer()


@command(app)
def browse(
    name: Set,
    where: Where = "",
    view: View = 0,
    port: Annotated[int, typer.Option(help="Of localhost.")] = 5055,
    rev: Rev = "",
) -> None:
    """Serve a map of a set's rows, with its pictures, to a browser here; Ctrl-C ends it."""
    import subprocess
    import sys
    from tempfile import TemporaryDirectory

    if find_spec("embedding_atlas") is None:
        raise PipelineError("browse needs embedding-atlas: `pip install embedding-atlas`")
    import pyarrow.parquet as pq

    store = store_of_command(rev)
    points = points_of(store, store[name], where or None, view)
    with TemporaryDirectory() as folder:
        file = Path(folder, f"{name}.parquet")
        pq.write_table(points, file)
        # Where the points are is known, so it loads no model, and the browser gets no database.
        options = ["--x", "x", "--y", "y", "--disable-projection", "--duckdb", "server"]
        if "picture" in points.column_names:
            options += ["--image", "picture"]
        call = [sys.executable, "-m", "embedding_atlas.cli", str(file), *options, "--no-mcp"]
        done = subprocess.run([*call, "--port", str(port)], check=False)
    if done.returncode:
        raise typer.Exit(done.returncode)


def points_of(
    store: Store, features: FeatureSet, where: str | None = None, view: int = 0
) -> pa.Table:
    """A row a point: digest, x, y, a sample that shows it with split and targets, its picture."""
    import pyarrow as pa

    from pipeline.store.describe import samples_showing
    from pipeline.store.pca import pca_table

    rows = pca_table(features, where, view)
    digests = rows["digest"].to_pylist()
    sample_ids = samples_showing(features, digests, where, view)
    samples = store.samples()
    about = ["sample_id", "split", *(n for n in samples.column_names if n.startswith("target."))]
    known = {row["sample_id"]: row for row in samples.select(about).to_pylist()}
    first: list[dict[str, Any]] = [
        known.get(next(iter(sample_ids[digest]), ""), {}) for digest in digests
    ]
    for column in about:
        rows = rows.append_column(column, pa.array([row.get(column) for row in first]))
    if pictures := _pictures(store, features.modality, set(digests)):
        uris = pa.array([pictures.get(digest) for digest in digests], pa.string())
        rows = rows.append_column("picture", uris)
    return rows


def _pictures(store: Store, modality: str, digests: set[str]) -> dict[str, str]:
    """Digest → a small picture as a data: URI, of the cleaned contents that are there.

    None of a modality that is shown otherwise, such as by a sound.
    """
    from pipeline.core.media_card import CardOptions
    from pipeline.modalities import showing_of
    from pipeline.search.contents import read_contents

    showing = showing_of(modality)
    if showing is None:
        return {}
    pictures: dict[str, str] = {}
    for digest, content in read_contents(store.tree, modality, digests).items():
        card = showing.show(content, CardOptions.model_validate({}))
        if card.sound or not card.picture:
            break
        pictures[digest] = card.picture
    return pictures
