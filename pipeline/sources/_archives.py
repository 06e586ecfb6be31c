"""Write folders of a package to disk: a .deb, a wheel or another zip, a tar archive.

Modes and owners are not taken over, links are not made, and nothing is written outside.
"""

from __future__ import annotations

import errno
import lzma
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, cast

from pipeline.core.errors import PipelineError
from pipeline.core.files.documents import WRONG
from pipeline.sources import _deb

ZIP = b"PK\x03\x04"
# Other errors of the system come of names in the package.
SHORTAGES = (errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)
DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    RuntimeError,  # an encrypted zip; a way of compressing that is not known
    *WRONG,
    OSError,
    MemoryError,
)

# Path of a regular file in an archive, and what opens it.
Member = tuple[str, Callable[[], IO[bytes]]]


def unpack(archive: Path, folders: Mapping[str, str], target: Path) -> None:
    """Write what lies below some folders of a package.

    Parameters
    ----------
    folders:
        Folder or file inside the package, such as `usr/share/games` → folder below `target` in
        which it comes to lie, "" for `target` itself.

    Raises
    ------
    PipelineError
        This is not a whole package, or it has nothing there.
    """
    absent = {*folders}
    kind = "package"
    try:
        with archive.open("rb") as file:
            magic = file.read(len(_deb.ARCHIVE))
            file.seek(0)
            if magic == _deb.ARCHIVE:
                kind = "Debian package"
            for name, opened in _members(file, magic):
                path = PurePosixPath(name.removeprefix("./"))
                folder = max(filter(path.is_relative_to, folders), key=len, default=None)
                if folder is None:
                    continue
                absent.discard(folder)
                if ".." in path.parts:
                    raise ValueError("a path that leaves the package")
                below = path.relative_to(folder) if path != PurePosixPath(folder) else path.name
                _write(opened, target / folders[folder] / below)
    except DAMAGED as error:
        if isinstance(error, MemoryError) or getattr(error, "errno", None) in SHORTAGES:
            raise PipelineError(
                f"{archive} cannot be unpacked: this machine fell short ({type(error).__name__}: "
                f"{error}). Free what it lacks, and run again."
            ) from None
        raise PipelineError(
            f"{archive} is not a whole {kind} ({type(error).__name__}): get it again"
        ) from None
    if absent:
        listed = ", ".join(sorted(absent))
        raise PipelineError(f"{archive} holds nothing below {listed}: it is another package")


def _write(opened: Callable[[], IO[bytes]], path: Path) -> None:
    with opened() as content:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            shutil.copyfileobj(content, file)


def _members(file: IO[bytes], magic: bytes) -> Iterator[Member]:
    """The regular files of an archive, each of which is opened before the next is asked for."""
    if magic.startswith(ZIP):
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    yield info.filename, lambda info=info: archive.open(info)  # type: ignore[misc]
        return
    # By hand: tarfile's filters came with Python 3.11.4, and Debian 12 has 3.11.2.
    is_deb = magic == _deb.ARCHIVE
    with _deb.data(file) if is_deb else tarfile.open(fileobj=file, mode="r:*") as archive:
        for member in archive:
            if member.isfile():
                yield member.name, lambda member=member: _content(archive, member)  # type: ignore


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    if member.issparse():
        raise ValueError("a file that is larger than what is stored of it")
    return cast(IO[bytes], archive.extractfile(member))
