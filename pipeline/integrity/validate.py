"""Read the bytes of units, all or the next share of them, and mend those that are damaged."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.core.files.atomic import atomic_write
from pipeline.core.files.documents import document
from pipeline.core.terminal import json_line
from pipeline.integrity.copies import Copies
from pipeline.integrity.places import ProjectFiles, cache_units, remote_units, sidecar_units
from pipeline.integrity.unit import Unit
from pipeline.parts.progress import reading_bytes
from pipeline.store.trees.tracked import read_tracked

# Where the last share ended: the name of the last unit that was read.
CURSOR = Path(".pipeline", "scrubbed.json")
# Files that are read at once: hashing lets go of Python's lock.
AT_ONCE = 4


@dataclass(frozen=True)
class Problem:
    """A damaged file, what is wrong, and what was done; empty if nothing was."""

    file: str
    what: str
    mended: str = ""


@dataclass
class Place:
    """What was read of one output, of DVC's cache or of a remote."""

    name: str
    files: int = 0
    bytes: int = 0
    problems: list[Problem] = field(default_factory=list)


@dataclass
class ScrubResult:
    """What was read, place by place.

    `absent` outputs are not here at all; of `unknown` files nothing says what they held.
    """

    places: dict[str, Place] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    unknown: int = 0

    @property
    def problems(self) -> list[Problem]:
        return [problem for place in self.places.values() for problem in place.problems]

    def add(self, unit: Unit, what: str, mend: bool) -> bool:
        """Count a unit, and mend it if that is asked and needed; whether it stays damaged."""
        place = self.places.setdefault(unit.place, Place(unit.place))
        place.files += 1
        place.bytes += unit.bytes
        if not what:
            return False
        mended = ""
        try:
            mended = unit.mend() if mend else ""
        except PipelineError as error:  # it is being written, or a remote did not answer
            what += f"; not mended: {error}"
        place.problems.append(Problem(unit.name, what, mended))
        return not mended


def scrub(
    repair: bool = False,
    share: Fraction = Fraction(1),
    with_cache: bool = False,
    with_remote: str = "",
) -> ScrubResult:
    """Read every byte of the project that this is called in.

    Parameters
    ----------
    share:
        How much of all bytes is read, above 0 and at most 1: whole files, from where the last such
        call ended. So n calls with 1/n read everything. Manifests are read each time.
    with_remote:
        The name of a remote of DVC's, whose objects are read too; empty for none.

    Raises
    ------
    PipelineError
        What says how the files should be is damaged, or there is no such remote.
    """
    result, copies = ScrubResult(), Copies.of_project()
    tree = ProjectFiles(read_tracked(), copies)
    for unit in tree.manifests():
        what = unit.check()
        if result.add(unit, what, repair):
            tree.damaged.add(Path(unit.name).parent)
    copies_by_md5 = tree.copies_of()
    units = [
        *tree.units(),
        *sidecar_units(),
        *(cache_units(copies, copies_by_md5) if with_cache else ()),
        *(remote_units(copies, with_remote) if with_remote else ()),
    ]
    chosen = next_share(units, share, _read_cursor())
    last = ""
    try:
        for unit, what in reading_bytes("validate", _checked(chosen), sum(u.bytes for u in chosen)):
            result.add(unit, what, repair)
            last = unit.name
    finally:
        if last:
            _write_cursor(last)
    result.absent, result.unknown = sorted(tree.absent), tree.unknown
    result.places = dict(sorted(result.places.items()))
    return result


def next_share(units: Iterable[Unit], share: Fraction, after: str) -> list[Unit]:
    """The units from the one after `after` on, by name and round, until they are a share of all.

    Every unit counts a byte more than it has, so that an empty one counts.
    """
    ordered = sorted(units, key=lambda unit: unit.name)
    first = bisect_right(ordered, after, key=lambda unit: unit.name)
    budget = share * sum(unit.bytes + 1 for unit in ordered)
    chosen: list[Unit] = []
    taken = 0
    for unit in (*ordered[first:], *ordered[:first]):
        if taken >= budget:
            break
        chosen.append(unit)
        taken += unit.bytes + 1
    return chosen


def _checked(units: Sequence[Unit]) -> Iterator[tuple[Unit, str, int]]:
    """Each unit, what is wrong with it, and its bytes, in their order."""
    pool = ThreadPoolExecutor(min(AT_ONCE, len(os.sched_getaffinity(0))))
    try:
        for unit, what in zip(units, pool.map(lambda unit: unit.check(), units), strict=True):
            yield unit, what, unit.bytes
    finally:
        pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class _Cursor:
    after: str


def _read_cursor() -> str:
    try:
        return document(CURSOR, _Cursor).after
    except (PipelineError, OSError):
        return ""


def _write_cursor(after: str) -> None:
    CURSOR.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(CURSOR) as temporary:
        temporary.write_text(json_line({"after": after}))
