"""The bytes of a large file where they lie: measured, cut and read as `bytes` are, but not held.

What reads a film moves back and forth in it, and needs little of it at a time.
"""

from __future__ import annotations

import hashlib
import io
import os
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_bytes

# Time stamps may be as coarse as two seconds: a younger one may hide that bytes changed again.
SETTLED_NS = 2_000_000_000


class FileBytes:
    """The bytes of a file that stays open, so that they are its own whatever its name becomes.

    Where they are sent to another process they are `bytes`.

    Attributes
    ----------
    digest:
        SHA-256 of them all, as they were at first.

    Raises
    ------
    OSError
        The file cannot be opened or read.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._failed = path, False
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._file)
        self._stamp, self._began = self._stamp_now(), time.time_ns()
        self.digest = self._digest_now()

    def __len__(self) -> int:
        return self._stamp[0]

    def __getitem__(self, place: slice) -> bytes:
        start, stop, _ = place.indices(len(self))
        parts = []
        while start < stop and (part := self._read(stop - start, start)):
            parts.append(part)
            start += len(part)
        return b"".join(parts)

    def __reduce__(self) -> tuple[type[bytes], tuple[bytes]]:
        with self.unchanged():
            return bytes, (self[:],)

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """While this lasts the bytes are those of the digest, or else it raises.

        Raises
        ------
        PipelineError
            They changed meanwhile, or could not be read: what was made of them is worth nothing.
        """
        try:
            yield
        finally:
            if self._failed:
                raise PipelineError(f"{self._path} could not be read to its end: run again")
            stamp = self._stamp_now()
            # The last time is also that of a new link, or of new rights.
            may_be_same = stamp[:2] == self._stamp[:2]
            is_settled = self._began - max(self._stamp[1:]) > SETTLED_NS
            is_sure = is_settled and stamp == self._stamp
            if not may_be_same or not (is_sure or self._digest_now() == self.digest):
                raise PipelineError(
                    f"{self._path} changed while it was read: run `dvc repro` again"
                )

    def _read(self, size: int, at: int) -> bytes:
        try:
            return os.pread(self._file, size, at)
        except OSError:
            # A decoder may take it for the file's end.
            self._failed = True
            raise

    def _stamp_now(self) -> tuple[int, int, int]:
        """Size, and when bytes, and when anything of the file, last changed."""
        status = os.fstat(self._file)
        return status.st_size, status.st_mtime_ns, status.st_ctime_ns

    def _digest_now(self) -> str:
        return hashlib.file_digest(_Reader(self), "sha256").hexdigest()


# What a kernel takes that reads large files.
Bytes = bytes | FileBytes


def digest_of(data: Bytes) -> str:
    """SHA-256 of bytes, wherever they are."""
    return data.digest if isinstance(data, FileBytes) else digest_bytes(data)


def reader_of(data: Bytes) -> io.BytesIO | io.RawIOBase:
    """A file of these bytes, open for reading, at its beginning."""
    return _Reader(data) if isinstance(data, FileBytes) else io.BytesIO(data)


class _Reader(io.RawIOBase):
    def __init__(self, data: FileBytes) -> None:
        self._data, self._at = data, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        part = self._data[self._at : self._at + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._data)}[whence]
        if origin + offset < 0:
            raise ValueError(f"there is no place {origin + offset} in a file")
        self._at = origin + offset
        return self._at
