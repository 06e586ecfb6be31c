"""Open a Debian package without Debian's tools: an ar archive that holds data.tar.*.

Format: deb(5) and ar(5). Packages compressed with xz, zstd, gzip or not at all are read.
"""

from __future__ import annotations

import errno
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, cast

import pyarrow as pa

from pipeline.core.errors import PipelineError

ARCHIVE = b"!<arch>\n"
HEADER_BYTES = 60
# Other errors of the system come of names in the package.
SHORTAGES = (errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)


def unpack(deb: Path, subtree: str, folder: Path) -> None:
    """Write the regular files below one folder of a package's file tree.

    Parameters
    ----------
    subtree:
        The folder inside the package, such as `usr/share/games`.
    folder:
        Where its contents go. Modes and owners are not taken over, links are not made, and
        nothing is written outside.

    Raises
    ------
    PipelineError
        This is not a whole Debian package, or it has no such subtree.
    """
    is_found = False
    try:
        with deb.open("rb") as file, _data(file) as archive:
            for member in archive:
                path = PurePosixPath(member.name.removeprefix("./"))
                if not (member.isfile() and path.is_relative_to(subtree)):
                    continue
                if member.issparse():
                    raise ValueError("a file that is larger than what is stored of it")
                is_found = True
                if ".." in path.parts:
                    raise ValueError("a path that leaves the package")
                # By hand: tarfile's filters came with Python 3.11.4, and Debian 12 has 3.11.2.
                target = folder / path.relative_to(subtree)
                target.parent.mkdir(parents=True, exist_ok=True)
                content = cast(IO[bytes], archive.extractfile(member))
                with content, target.open("wb") as placed:
                    shutil.copyfileobj(content, placed)
    except (tarfile.TarError, EOFError, ValueError, OSError, MemoryError) as error:
        if isinstance(error, MemoryError) or getattr(error, "errno", None) in SHORTAGES:
            raise PipelineError(
                f"{deb} cannot be unpacked: this machine fell short ({type(error).__name__}: "
                f"{error}). Free what it lacks, and run again."
            ) from None
        raise PipelineError(
            f"{deb} is not a whole Debian package ({type(error).__name__}): get it again"
        ) from None
    if not is_found:
        raise PipelineError(f"{deb} holds nothing below {subtree}: it is another package")


@contextmanager
def _data(file: IO[bytes]) -> Iterator[tarfile.TarFile]:
    """The package's file tree, to be read from front to back."""
    name, size = _find_data(file)
    stream: IO[bytes] = cast(IO[bytes], _Bounded(file, size))
    mode = {".xz": "r|xz", ".gz": "r|gz", ".bz2": "r|bz2"}.get(PurePosixPath(name).suffix, "r|")
    if name.endswith(".zst"):
        stream = cast(IO[bytes], pa.CompressedInputStream(file, "zstd"))
    with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
        yield archive


def _find_data(file: IO[bytes]) -> tuple[str, int]:
    """Name and size in bytes of data.tar.*, the file standing at its first byte."""
    if file.read(len(ARCHIVE)) != ARCHIVE:
        raise ValueError("no ar archive")
    while header := file.read(HEADER_BYTES):
        if len(header) < HEADER_BYTES or header[58:] != b"`\n":
            raise ValueError("damaged ar header")
        name = header[:16].decode("ascii").strip().rstrip("/")
        size = int(header[48:58])
        if size < 0:
            raise ValueError("damaged ar header")
        if name.startswith("data.tar"):
            return name, size
        file.seek(size + size % 2, 1)  # members begin at even offsets
    raise ValueError("no data.tar")


class _Bounded:
    """The next `size` bytes of a file, as a file that can only be read."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._left = size

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._file.read(wanted)
        self._left -= len(data)
        return data
