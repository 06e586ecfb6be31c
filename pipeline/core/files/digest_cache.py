"""Digests of files, remembered, so that a check need not read everything again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.core.files.digest import Algorithm, digest_bytes, digest_file
from pipeline.core.files.lock import lock_path
from pipeline.core.files.sqlite_cache import SqliteCache

MEMORY = Path(".pipeline", "digests", "raw.sqlite")
# Time stamps may be as coarse as two seconds, so a file that changed within two seconds of being
# read may change again without its stamp telling; such a digest is not remembered.
SETTLED_NS = 2_000_000_000
TABLE = (
    "CREATE TABLE IF NOT EXISTS stamps (path BLOB PRIMARY KEY, size INTEGER, modified INTEGER,"
    " changed INTEGER, inode INTEGER, digest TEXT) WITHOUT ROWID"
)

Stamp = tuple[int, int, int, int]
# What this process wrote or read, whichever memory it was for: file name → stamp and digest.
_SEEN: dict[bytes, tuple[Stamp, str]] = {}


class DigestCache:
    """Digests of files, read again only where size, times or inode changed.

    Paths are known as they are given: relative ones to the folder in which the memory lies.
    """

    def __init__(
        self, known: dict[bytes, tuple[Stamp, str]], algorithm: Algorithm = "sha256"
    ) -> None:
        self._known = known
        self._algorithm = algorithm
        self.learnt: dict[bytes, tuple[Stamp, str]] = {}
        self._noted: dict[bytes, tuple[Stamp, str]] = {}

    def file(self, path: Path) -> str:
        """The digest of a file's bytes; OSError if it cannot be read."""
        name = os.fsencode(path)
        before = self._stamp(path)
        known, digest = self._known.get(name, (None, ""))
        if known == before:
            return digest
        began = time.time_ns()
        seen, digest = _SEEN.get(name, (None, ""))
        if seen != before:
            digest = digest_file(path, self._algorithm)
            if self._stamp(path) != before:
                return digest
        if began - max(before[1:3]) > SETTLED_NS:
            self.learnt[name] = self._known[name] = _SEEN[name] = (before, digest)
        return digest

    def add(self, path: Path, digest: str) -> None:
        """Take the digest of a file that was written just now, so that it need not be read."""
        name = os.fsencode(path)
        self._noted[name] = _SEEN[name] = (self._stamp(path), digest)

    def flush(self) -> None:
        """Remember what was noted long enough ago; a file that changed since has another stamp."""
        now = time.time_ns()
        for name, (stamp, digest) in self._noted.items():
            if now - max(stamp[1:3]) > SETTLED_NS:
                self.learnt[name] = (stamp, digest)

    def get_or_compute(
        self, name: bytes, stamp: Stamp, find: Callable[[], str], settled_ns: int
    ) -> str:
        """What `find` says of the bytes under a name, asked again only where the stamp changed."""
        known, digest = self._known.get(name, (None, ""))
        if known != stamp:
            began = time.time_ns()
            digest = find()
            if began - max(stamp[1:3]) > settled_ns:
                self.learnt[name] = self._known[name] = (stamp, digest)
        return digest

    def _stamp(self, path: Path) -> Stamp:
        """Size, time of the last change of the bytes, and of anything; inode.

        DVC changes the rights of outputs, which are known by MD5, before it runs their stage; so
        the time of that says nothing of them. DVC itself tells a changed file by the others.
        """
        status = path.stat()
        changed = status.st_ctime_ns if self._algorithm == "sha256" else 0
        return status.st_size, status.st_mtime_ns, changed, status.st_ino

    def tree(self, folder: Path) -> str:
        """The digest of a folder: of its files' digests and paths, as `sha256sum` lists them.

        The same as `find . -type f -printf '%P\\0' | LC_ALL=C sort -z | xargs -0 sha256sum |
        sha256sum` in that folder.
        """
        paths = (path for path in folder.rglob("*") if path.is_file())
        names = sorted(os.fsencode(path.relative_to(folder)) for path in paths)
        lines = [
            self.file(folder / os.fsdecode(name)).encode() + b"  " + name + b"\n" for name in names
        ]
        return digest_bytes(b"".join(lines))


def digests_of(out: Path) -> Path:
    """Where the digests of an output's files are remembered."""
    return Path(".pipeline", "digests", f"{lock_path(out)}.sqlite")


@contextmanager
def open_digest_cache(
    memory: Path = MEMORY, algorithm: Algorithm = "sha256"
) -> Iterator[DigestCache]:
    """Digests of one algorithm that are remembered from one run to the next.

    The file behind them is a cache and nothing else: see `Memory`.
    """
    table = SqliteCache(memory, TABLE)
    known = {
        path: ((size, modified, changed, inode), digest)
        for path, size, modified, changed, inode, digest in table.load("SELECT * FROM stamps")
    }
    digests = DigestCache(known, algorithm)
    try:
        yield digests
    finally:
        digests.flush()
        if digests.learnt:
            rows = [(path, *stamp, digest) for path, (stamp, digest) in digests.learnt.items()]
            table.save("REPLACE INTO stamps VALUES (?, ?, ?, ?, ?, ?)", rows)
