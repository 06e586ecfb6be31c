"""Samples and what cleaning measured of their assets, as columns side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.schemas import assets_schema, clean_schema
from pipeline.modalities import modality_of

TARGET = "target."
PRESENCE = "presence."
# What names an asset or holds it, and measures nothing.
NAMING = {*clean_schema(pa.schema([])).names, *assets_schema().names} - {"size"}


def sample_columns(
    samples: pa.Table, measured: Mapping[str, pa.Table], attributes: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Column → its values by sample: float64 with NaN, or an object array of str and None.

    The targets by their names, `attribute.<name>`, `presence.<modality>` (yes, no), and
    `<modality>.<measurement>`.

    Parameters
    ----------
    samples:
        Rows of the samples or of the curated table.
    measured:
        Modality → `digest` and measurements of its assets, one row an asset: a table of data/clean,
        of data/assets for the `size`, or both joined. What is not in it is no longer present.
    """
    columns: dict[str, np.ndarray] = {
        name: _values(samples[name]) for name in samples.column_names if name.startswith(TARGET)
    }
    stated = (
        [dict(pairs or ()) for pairs in samples["attributes"].to_pylist()] if attributes else []
    )
    for name in attributes:
        columns[f"attribute.{name}"] = np.array([each.get(name) for each in stated], dtype=object)
    for modality, table in measured.items():
        rows = pc.index_in(samples[modality].cast(pa.string()), value_set=table["digest"])
        missing = rows.is_null().to_numpy()
        columns[PRESENCE + modality] = np.where(missing, "no", "yes").astype(object)
        for name in measurements(modality, table.schema):
            columns[f"{modality}.{name}"] = _values(table[name].take(rows))
    return columns


def measurements(modality: str, schema: pa.Schema) -> list[str]:
    """The columns of a table of assets that say something about them, in their order.

    A perceptual hash is a name rather than a measurement.
    """
    leak_key = modality_of(modality).LEAK_KEY
    return [name for name in schema.names if name not in NAMING and name != leak_key]


def _values(column: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False))
    return np.array(column.to_pylist(), dtype=object)


def is_known(values: np.ndarray) -> np.ndarray:
    """bool (n,): which values are there."""
    if values.dtype.kind == "f":
        return np.asarray(~np.isnan(values))
    return np.array([value is not None for value in values], bool)
