"""Samples and features → aligned matrices, with the presence mask computed here and only here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.folders import CURATED
from pipeline.store.format.reader import StoredFeatures, table_of
from pipeline.store.trees.tree import WorkTree


@dataclass(frozen=True)
class Joined:
    """Curated samples (n) with their features, row by row.

    Parameters
    ----------
    values:
        Feature set → (n, *shape) of the set's dtype, zero where absent.
    lengths:
        Feature set → int32 (n,), valid steps of a sequence, 0 where absent.
    present:
        Feature set → bool (n,): the sample has the modality, cleaning and encoding passed it.
    targets:
        Target → object array of str or None, or float64 with NaN for None.
    """

    sample_ids: list[str]
    source: np.ndarray
    batch: np.ndarray
    group: np.ndarray
    component: np.ndarray
    split: np.ndarray
    targets: dict[str, np.ndarray]
    attributes: list[dict[str, str]]
    values: dict[str, np.ndarray]
    lengths: dict[str, np.ndarray]
    present: dict[str, np.ndarray]


def join_work_tree(root: Path, sets: Mapping[str, str], view: int = 0) -> Joined:
    """Join all curated samples of a work tree with feature sets.

    Parameters
    ----------
    root:
        The data directory.
    sets:
        Feature set → the modality whose asset it describes.
    view:
        0 for the cleaned assets themselves, 1..k for augmented views.
    """
    tree = WorkTree(root)
    stored = {name: (StoredFeatures(tree, name), modality) for name, modality in sets.items()}
    return align(table_of(tree, CURATED), stored, view)


def align(
    samples: pa.Table, sets: Mapping[str, tuple[StoredFeatures, str]], view: int | None = 0
) -> Joined:
    """Put the features of each sample's assets beside it, by asset digest.

    `sets` maps feature set → what is stored of it, and its modality.
    """
    values: dict[str, np.ndarray] = {}
    lengths: dict[str, np.ndarray] = {}
    present: dict[str, np.ndarray] = {}
    for name, (stored, modality) in sets.items():
        identity = stored.columns(["digest", "length"], view)
        rows = _places(samples[modality], identity["digest"])
        present[name] = rows >= 0
        # Not zeros throughout: their pages would come one by one, those of `empty` come huge.
        values[name] = np.empty((len(rows), *stored.shape), stored.dtype)
        values[name][~present[name]] = 0
        stored.fill(values[name], rows, view)
        lengths[name] = np.zeros(len(rows), np.int32)
        lengths[name][present[name]] = identity["length"].to_numpy()[rows[present[name]]]
    prefix = "target."
    return Joined(
        sample_ids=samples["sample_id"].to_pylist(),
        source=_strings(samples, "source"),
        batch=_strings(samples, "batch"),
        group=_strings(samples, "group"),
        component=_strings(samples, "component"),
        split=_strings(samples, "split"),
        targets={
            column.removeprefix(prefix): samples[column].to_numpy()
            for column in samples.column_names
            if column.startswith(prefix)
        },
        attributes=[dict(pairs or ()) for pairs in samples["attributes"].to_pylist()],
        values=values,
        lengths=lengths,
        present=present,
    )


def _places(asset_digests: pa.ChunkedArray, digests: pa.ChunkedArray) -> np.ndarray:
    """Where each wanted digest stands, int64 (n,), -1 where it is null or not there.

    The samples are looked up by, as a rule the fewer: a table of what is stored would not fit into
    the processor's cache.
    """

    encoded = asset_digests.combine_chunks().dictionary_encode()
    positions = pc.index_in(digests, value_set=encoded.dictionary).fill_null(-1).to_numpy()
    rows = np.flatnonzero(positions >= 0)
    # One place more than there are digests, for null.
    row_by_code = np.full(len(encoded.dictionary) + 1, -1, np.int64)
    row_by_code[positions[rows]] = rows
    places: np.ndarray = row_by_code[encoded.indices.fill_null(len(encoded.dictionary)).to_numpy()]
    return places


def _strings(samples: pa.Table, column: str) -> np.ndarray:
    encoded = samples[column].combine_chunks().dictionary_encode()
    strings = np.array(encoded.dictionary.to_pylist(), str)
    column_strings: np.ndarray = strings[encoded.indices.to_numpy()]
    return column_strings
