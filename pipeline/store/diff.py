"""What changed from one store to another: rows of feature sets, and files of revisions.

Parts of one MD5 hold the same rows, so only parts that one side alone has are read: their ids at
once, their vectors some rows at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.errors import PipelineError
from pipeline.core.files.documents import document
from pipeline.core.folders import FEATURES
from pipeline.parts.fingerprint_diff import differences
from pipeline.parts.manifest import MANIFEST, Manifest
from pipeline.parts.part import Entry
from pipeline.store.format.reader import StoredFeatures
from pipeline.store.trees.revision import Revision

if TYPE_CHECKING:
    from pipeline.store.base import BaseStore

# Bytes of vectors that are compared at once, of either side.
BLOCK = 8 * 2**20


@dataclass(frozen=True)
class SetDifference:
    """What changed in one feature set.

    Parameters
    ----------
    told:
        Sentences about what is no row: shape, dtype, provenance.
    added, removed:
        Tables of `digest` and `view`.
    changed:
        A table of `digest`, `view` and `by` (float64): the largest absolute difference of a
        value, infinite where shapes differ or one side alone is no number. A row whose `length`
        changed is among them, whatever its `by`.
    """

    messages: list[str]
    added: pa.Table
    removed: pa.Table
    changed: pa.Table

    def __bool__(self) -> bool:
        return bool(self.messages or len(self.added) or len(self.removed) or len(self.changed))

    @property
    def counts(self) -> dict[str, int]:
        """Rows by what became of them."""
        return {name: len(getattr(self, name)) for name in ("added", "removed", "changed")}


@dataclass(frozen=True)
class StoreDifference:
    """What changed from `before` to `after`, which are names of trees; false if nothing did.

    Parameters
    ----------
    added, removed:
        Feature sets that only the later, or only the earlier store has.
    sets:
        Those of both that differ.
    """

    before: str
    after: str
    added: list[str]
    removed: list[str]
    sets: dict[str, SetDifference]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.sets)


def store_difference(
    before: BaseStore, after: BaseStore, tolerance: float = 0.0
) -> StoreDifference:
    """Rows added, removed and changed by more than `tolerance`, by feature set.

    Memory holds the ids of the rows in parts that differ, and some of their vectors at a time.
    """
    if not tolerance >= 0:
        raise PipelineError(f"a tolerance is a number from 0 on, and not {tolerance}")
    common = [name for name in before if name in after]
    differences_by_set = {name: _of_set(before, after, name, tolerance) for name in common}
    return StoreDifference(
        before.tree.name,
        after.tree.name,
        added=[name for name in after if name not in before],
        removed=[name for name in before if name not in after],
        sets={
            name: set_difference
            for name, set_difference in differences_by_set.items()
            if set_difference
        },
    )


def files_between(before: Revision, after: Revision) -> dict[str, list[str]]:
    """Paths below `data/` that were added, removed or changed between two revisions.

    Only the listings of folders that differ are read.
    """
    folders = {*before.outs, *after.outs}
    moved = [out for out in folders if before.outs.get(out) != after.outs.get(out)]
    ours, theirs = before.files(moved), after.files(moved)
    return {
        "added": sorted(theirs.keys() - ours.keys()),
        "removed": sorted(ours.keys() - theirs.keys()),
        "changed": sorted(
            path for path in ours.keys() & theirs.keys() if ours[path] != theirs[path]
        ),
    }


@dataclass(frozen=True)
class _PartsOfSet(StoredFeatures):
    """Some parts of a feature set."""

    chosen: tuple[Entry, ...] = field(repr=False)

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        return self.chosen


def _of_set(
    before: BaseStore, after: BaseStore, name: str, tolerance: float
) -> SetDifference | None:
    manifests = [store.tree.file(f"{FEATURES}/{name}/{MANIFEST}") for store in (before, after)]
    if manifests[0].read_bytes() == manifests[1].read_bytes():
        return None
    old, new = (document(path, Manifest) for path in manifests)
    messages = _describe_change(old.schema, new.schema, "schema")
    messages += differences(old.function, new.function)
    ours, theirs = _unshared_parts(before, after, name), _unshared_parts(after, before, name)
    if ours.chosen and theirs.chosen:
        messages += _describe_change(ours.shape, theirs.shape, "shape") + _describe_change(
            ours.dtype, theirs.dtype, "dtype"
        )
    views = sorted({entry.view for entry in (*ours.chosen, *theirs.chosen)} or {0})
    per_view = [_of_view(ours, theirs, view, tolerance) for view in views]
    set_difference = SetDifference(messages, *map(pa.concat_tables, zip(*per_view, strict=True)))
    return set_difference if set_difference else None


def _unshared_parts(store: BaseStore, other: BaseStore, name: str) -> _PartsOfSet:
    """The parts of a set that the other store lacks."""
    same = {entry.md5 for entry in StoredFeatures(other.tree, name).entries}
    entries = StoredFeatures(store.tree, name).entries
    return _PartsOfSet(store.tree, name, tuple(entry for entry in entries if entry.md5 not in same))


def _of_view(
    ours: StoredFeatures, theirs: StoredFeatures, view: int, tolerance: float
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Added, removed and changed rows of one view."""

    old, new = (rows.columns(["digest", "view", "length"], view) for rows in (ours, theirs))
    positions = pc.index_in(old["digest"], value_set=new["digest"].combine_chunks())
    place = positions.fill_null(-1).to_numpy().astype(np.int64)
    kept = np.flatnonzero(place >= 0)
    place = place[kept]
    by = _max_abs_difference(ours, theirs, kept, place, view)
    longer = old["length"].to_numpy()[kept] != new["length"].to_numpy()[place]
    changed = (by > tolerance) | longer
    before, after = (
        pa.table({key: rows[key] for key in ("digest", "view")}) for rows in (old, new)
    )
    return (
        after.filter(pa.array(_mask_without(len(new), place))),
        before.filter(pa.array(_mask_without(len(old), kept))),
        before.take(pa.array(kept[changed])).append_column("by", pa.array(by[changed])),
    )


def _mask_without(count: int, places: np.ndarray) -> np.ndarray:
    """A mask of all but some places."""
    mask = np.ones(count, np.bool_)
    mask[places] = False
    return mask


def _max_abs_difference(
    ours: StoredFeatures, theirs: StoredFeatures, rows: np.ndarray, others: np.ndarray, view: int
) -> np.ndarray:
    """The largest difference of each of some rows to those of another set, float64."""
    largest_differences = np.full(len(rows), np.inf)
    if not len(rows) or ours.shape != theirs.shape:
        return largest_differences
    step = ours.rows_in(BLOCK)
    for start in range(0, len(rows), step):
        block = slice(start, start + step)
        largest_differences[block] = max_difference_by_row(
            ours.matrix(rows[block], view), theirs.matrix(others[block], view)
        )
    return largest_differences


def max_difference_by_row(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The largest absolute difference of each row's values, (n, …) twice → float64 (n,).

    Two that are no numbers are equal; one alone is infinitely far from a number.
    """
    before, after = (values.reshape(len(values), -1) for values in (before, after))
    maxima = np.zeros(len(before))
    rows = np.flatnonzero((before != after).any(axis=1))
    old, new = before[rows].astype(np.float64), after[rows].astype(np.float64)
    with np.errstate(invalid="ignore"):
        absolute = np.abs(new - old)
    absolute[(old == new) | (np.isnan(old) & np.isnan(new))] = 0.0
    absolute[np.isnan(absolute)] = np.inf
    maxima[rows] = absolute.max(axis=1, initial=0.0)
    return maxima


def _describe_change(old: Any, new: Any, what: str) -> list[str]:
    """A sentence if a value differs, and else none."""
    return [] if old == new else [f"{what}: {old} → {new}"]
