"""Files beside the store that spare it work, and may be deleted at any time.

One is named by its kind and by the digest of what it was made from, so a stale one is never opened;
one that cannot be read is made again. Two processes do the same work, and the later rename wins.
Of each kind those stay that were opened last: of the work tree, and of a few revisions. Where the
folder cannot be written, what would stand there stays in memory.
"""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pipeline.core.files.atomic import atomic_write
from pipeline.core.files.digest import digest_file, digest_json

if TYPE_CHECKING:
    from pipeline.store.trees.tree import Tree

T = TypeVar("T")
FOLDER = Path(".pipeline", "store")
# Of one kind.
KEPT = 3
# Of the SHA-256 in which one ends, so that `pipeline validate` knows it.
DIGEST_BYTES = 32


def sidecar_path(tree: Tree, kind: str, made_from: object, suffix: str) -> Path:
    """Where a sidecar of a project lies."""
    return tree.project.absolute() / FOLDER / f"{kind}@{digest_json(made_from)[:32]}{suffix}"


def load_or_make(
    path: Path,
    load: Callable[[Path], T | None],
    make: Callable[[], T],
    write: Callable[[T, Path], None],
) -> T:
    """What a sidecar holds, which is made where `load` finds none that is whole."""
    loaded = load(path)
    if loaded is not None:
        with suppress(OSError):
            os.utime(path)
        return loaded
    content = make()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as temporary:
            write(content, temporary)
        _remove_older(path)
    except OSError:
        return content
    return load(path) or content


def seal(path: Path) -> None:
    """Let a sidecar end in the SHA-256 of what stands in it."""
    digest = bytes.fromhex(digest_file(path))
    with path.open("ab") as file:
        file.write(digest)


def is_sealed(path: Path) -> bool:
    """Whether a sidecar ends in the digest of what stands before: every byte is read."""
    if not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        content = memoryview(data)
        intact = hashlib.sha256(content[:-DIGEST_BYTES]).digest() == content[-DIGEST_BYTES:]
        content.release()
    return intact


def _remove_older(path: Path) -> None:
    kind, _, _ = path.name.rpartition("@")
    same_suffix = (file for file in path.parent.iterdir() if file.suffix == path.suffix)
    same_kind = [file for file in same_suffix if file.name.rpartition("@")[0] == kind]
    for file in sorted(same_kind, key=_last_opened, reverse=True)[KEPT:]:
        file.unlink(missing_ok=True)


def _last_opened(path: Path) -> float:
    """When it was opened last; long ago where another process has just removed it."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
