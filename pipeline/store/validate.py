"""Whether a feature set is what its manifest says, down to its values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq

from pipeline.core.errors import PipelineError
from pipeline.core.files.documents import reading
from pipeline.core.folders import FEATURES
from pipeline.parts.manifest import MANIFEST, load_manifest
from pipeline.parts.part import Entry, read_footer
from pipeline.store.format.reader import PART_COLUMNS
from pipeline.store.format.vectors import Vectors, vectors_of
from pipeline.store.trees.tracked import md5_problem

if TYPE_CHECKING:
    from pipeline.store.trees.tree import Tree

# Bytes of vectors that are looked at together.
BLOCK = 2**24


@dataclass
class SetValidation:
    """What was looked at, and every problem as (part or file, what is wrong).

    `mapped` parts are read where they lie, `decoded` ones through pyarrow: slower, and no problem.
    """

    name: str
    parts: int = 0
    rows: int = 0
    mapped: int = 0
    decoded: int = 0
    problems: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class _Seen:
    """View and digest → the part that holds them, and the form of the first part's vectors."""

    digests: dict[tuple[int, str], str] = field(default_factory=dict)
    form: str = ""


def validate_set(tree: Tree, name: str) -> SetValidation:
    """Read every byte of a feature set and compare it with its manifest."""
    verdict, folder = SetValidation(name), f"{FEATURES}/{name}"
    try:
        entries = load_manifest(tree.file(f"{folder}/{MANIFEST}"))
    except PipelineError as error:
        verdict.problems.append((MANIFEST, str(error)))
        return verdict
    planned = {MANIFEST, *(f"{entry.key}.parquet" for entry in entries)}
    for other in sorted(set(tree.names(folder)) - planned):
        verdict.problems.append((other, "the manifest knows no such file; it is never read"))
    seen = _Seen()
    for entry in entries:
        file = f"{entry.key}.parquet"
        verdict.parts += 1
        verdict.rows += entry.rows
        try:
            path = tree.file(f"{folder}/{file}")
            for what in _part(path, entry, verdict, seen):
                verdict.problems.append((file, what))
        except (PipelineError, OSError) as error:
            verdict.problems.append((file, str(error)))
    # What a stage has replaced meanwhile is no problem of what stands now.
    return validate_set(tree.renewed(), name) if verdict.problems and tree.moved() else verdict


def _part(path: Path, entry: Entry, verdict: SetValidation, seen: _Seen) -> Iterator[str]:
    if wrong := md5_problem(path, [entry.md5]):
        yield wrong
    vectors = vectors_of(path)
    if vectors.extents is None:
        verdict.decoded += 1
    else:
        verdict.mapped += 1
    if vectors.rows != entry.rows:
        yield f"it has {vectors.rows} rows, the manifest says {entry.rows}"
    form = f"{vectors.dtype} {vectors.shape}"
    seen.form = seen.form or form
    if vectors.rows and form != seen.form:
        yield f"its vectors are {form}, those of the first part {seen.form}"
    yield from _columns(path, entry, vectors, seen)
    yield from _values(vectors)


def _columns(path: Path, entry: Entry, vectors: Vectors, seen: _Seen) -> Iterator[str]:
    footer = read_footer(path)
    with reading(path), pq.ParquetFile(path) as file:
        missing = [name for name in PART_COLUMNS if name not in file.schema_arrow.names]
        rows = {} if missing else file.read(columns=list(PART_COLUMNS)).to_pydict()
    if missing:
        yield f"it lacks the column {missing[0]!r}"
        return
    digests, keys, views, lengths = (rows[name] for name in PART_COLUMNS)
    if footer["key"] != entry.key:
        yield f"its footer says key {footer['key']}"
    if len(footer["rejects"]) != entry.rejected:
        yield f"its footer has {len(footer['rejects'])} rejects, the manifest says {entry.rejected}"
    if any(digest >= other for digest, other in pairwise(digests)):
        yield "its digests are not in ascending order, each once"
    for digest in digests:
        other = seen.digests.setdefault((entry.view, digest), entry.key)
        if other != entry.key:
            yield f"{digest} stands in {other}.parquet too"
    if not all(keys):
        yield f"{sum(not key for key in keys)} rows have no key"
    if any(view != entry.view for view in views):
        yield f"rows of another view than {entry.view}"
    most = vectors.shape[0] if len(vectors.shape) > 1 else 1
    odd = sum(not 0 < length <= most for length in lengths)
    if odd:
        yield f"{odd} rows have a length that is not from 1 to {most}"


def _values(vectors: Vectors) -> Iterator[str]:
    broken = sum(int((~np.isfinite(values)).sum()) for values in _chunks(vectors))
    if broken:
        yield f"{broken} values are not finite"


def _chunks(vectors: Vectors) -> Iterator[np.ndarray]:
    for block in vectors.blocks():
        size = max(1, BLOCK // max(block.nbytes // max(len(block), 1), 1))
        for start in range(0, len(block), size):
            yield block[start : start + size]
