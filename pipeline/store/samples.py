"""The samples of a store as queries see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.manifest import MANIFEST
from pipeline.store.stored import table_of

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.store.tree import Tree

TARGET = "target."


def samples_of(tree: Tree) -> pa.Table:
    """The curated samples of a tree, with component and split."""
    if MANIFEST not in tree.names("curated"):
        raise PipelineError(f"{tree.name} has no curated samples: `dvc repro curate` makes them")
    return table_of(tree, "curated")


def spread_targets(samples: pa.Table) -> pa.Table:
    """The same with one more column `target`, a struct, so that `target.label` needs no quotes."""
    import pyarrow as pa

    names = [name for name in samples.column_names if name.startswith(TARGET)]
    if not names:
        return samples
    columns = [samples[name].combine_chunks() for name in names]
    arrays = [pa.concat_arrays(c.chunks) if isinstance(c, pa.ChunkedArray) else c for c in columns]
    struct = pa.StructArray.from_arrays(arrays, [name.removeprefix(TARGET) for name in names])
    return samples.append_column("target", struct)
