"""The samples of a store as queries see them, and the rows of a feature set that they show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipeline.core.errors import PipelineError, unknown
from pipeline.core.folders import CURATED
from pipeline.parts.manifest import MANIFEST
from pipeline.store.format.reader import MANIFEST_COLUMNS, PART_COLUMNS, StoredFeatures, table_of
from pipeline.store.sql.query import ROW, columns_of, database

if TYPE_CHECKING:
    from pipeline.store.trees.tree import Tree

TARGET = "target."


@dataclass(frozen=True)
class SampledFeatures(StoredFeatures):
    """A stored feature set, with the samples that show its assets."""

    samples: Callable[[], pa.Table] = field(repr=False)

    @property
    def section(self) -> Mapping[str, Any]:
        """What params.yaml says of the set; empty where it names it no more."""
        return (self.tree.params.get("features") or {}).get(self.name) or {}

    @property
    def modality(self) -> str:
        """The modality that the set describes."""
        if not self.section:
            message = unknown("feature set", self.name, self.tree.params.get("features") or {})
            raise PipelineError(f"params.yaml of {self.tree.name}: {message}")
        return str(self.section["modality"])


def samples_of(tree: Tree) -> pa.Table:
    """The curated samples of a tree, with component and split."""
    if MANIFEST not in tree.names(CURATED):
        raise PipelineError(f"{tree.name} has no curated samples: `dvc repro curate` makes them")
    return table_of(tree, CURATED)


def spread_targets(samples: pa.Table) -> pa.Table:
    """The same with one more column `target`, a struct, so that `target.label` needs no quotes."""
    names = [name for name in samples.column_names if name.startswith(TARGET)]
    if not names:
        return samples
    columns = [samples[name].combine_chunks() for name in names]
    arrays = [pa.concat_arrays(c.chunks) if isinstance(c, pa.ChunkedArray) else c for c in columns]
    struct = pa.StructArray.from_arrays(arrays, [name.removeprefix(TARGET) for name in names])
    return samples.append_column("target", struct)


def samples_where(features: SampledFeatures, where: str, view: int | None) -> pa.Table:
    """The samples that meet a condition, with the row of a view that each of them shows."""
    _, samples = row_sample_pairs(features, where, view)
    return features.samples().take(np.unique(samples))


def row_sample_pairs(
    features: SampledFeatures, where: str, view: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of a row and a sample that shows it, for which a condition holds.

    Where samples have columns of the same name, the set's go first.

    Returns
    -------
    places, samples:
        int64 (n,): where the row stands in the view, and where the sample in its table.
    """

    own_columns = columns_of(where) & {*PART_COLUMNS, *MANIFEST_COLUMNS}
    rows = features.columns(sorted({*own_columns, "digest"}), view)
    rows = rows.append_column(ROW, pa.array(np.arange(rows.num_rows)))
    samples = spread_targets(features.samples())
    asset = samples[features.modality]
    hidden = [name for name in (*PART_COLUMNS, *MANIFEST_COLUMNS) if name in samples.column_names]
    samples = samples.drop_columns(hidden).append_column(f"asset {ROW}", asset)
    samples = samples.append_column(f"sample {ROW}", pa.array(np.arange(samples.num_rows)))
    query = (
        f'SELECT {ROW}, "sample {ROW}" FROM rows JOIN samples '
        f'ON samples."asset {ROW}" = rows.digest WHERE ({where}\n) ORDER BY ALL'
    )
    with database(tables={"rows": rows, "samples": samples}) as opened:
        pairs = opened.run(lambda c: c.execute(query).fetchnumpy())
    return pairs[ROW], pairs[f"sample {ROW}"]
