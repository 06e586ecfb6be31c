"""Open a Debian package without Debian's tools: an ar archive that holds data.tar.*.

Format: deb(5) and ar(5). Packages compressed with xz, zstd, gzip or not at all are read.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import IO, cast

import pyarrow as pa

ARCHIVE = b"!<arch>\n"
HEADER_BYTES = 60


@contextmanager
def data(file: IO[bytes]) -> Iterator[tarfile.TarFile]:
    """The package's file tree, to be read from front to back; ValueError if there is none."""
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
