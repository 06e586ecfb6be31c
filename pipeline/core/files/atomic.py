"""A file or a folder appears whole or not at all, in place of whatever stood there before.

It is no part of a key (see `fingerprint.INERT`): what a file holds is decided by who writes it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY = ".pipeline"
HALVES = Path(MEMORY, "tmp")
# A half that nobody touched for a day has no writer left, on whatever machine that was.
ABANDONED_S = 24 * 3600.0
# What Linux calls them; Python has no name for either.
AT_FDCWD, RENAME_EXCHANGE = -100, 2


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A temporary path (see `half`), moved onto `path` when the block ends well, else removed.

    It is the caller's own: of several that write one file, the last to end wins.
    """
    temporary = half(path)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def half(path: Path) -> Path:
    """A path of the caller's own, from which a rename leads to `path`; nothing is there yet.

    It lies in `.pipeline/tmp` of the project around `path`: DVC takes all that an output holds, so
    what a killed writer leaves must not lie there. Beside `path` only where there is no project
    or a rename does not lead out of its `.pipeline`.
    """
    name = f".{path.name}.{secrets.token_hex(8)}.tmp"
    project = next(
        (folder for folder in path.absolute().parents if (folder / MEMORY).is_dir()), None
    )
    if project is not None:
        temporary = project / HALVES / name
        temporary.parent.mkdir(exist_ok=True)
        if _leads(temporary, path.with_name(name)):
            return temporary
    return path.with_name(name)


def exchange(one: Path, other: Path) -> None:
    """Two folders take each other's places in one step, in which neither is missing.

    Raises
    ------
    OSError
        They lie on two file systems, or on one that cannot do it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(one), os.fsencode(other)
    if libc.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(other))


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all in it; it may be gone already."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_abandoned() -> None:
    """Remove the halves that killed writers left in the project of the current folder."""
    for path in HALVES.glob("*.tmp"):
        with contextlib.suppress(FileNotFoundError):  # its writer ended just now
            touched = max(inner.lstat().st_mtime for inner in (path, *path.rglob("*")))
            if time.time() - touched > ABANDONED_S:
                remove(path)


def _leads(temporary: Path, path: Path) -> bool:
    """Whether a rename leads from one path to another, of which neither exists.

    Linux says that they lie on two mounts, be it of one file system, before it looks for a file.
    """
    try:
        temporary.rename(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    raise AssertionError(f"{temporary} was to be nobody's")
