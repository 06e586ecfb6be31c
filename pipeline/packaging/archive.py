"""A folder as a .zip whose bytes say nothing but what is in it."""

from __future__ import annotations

import shutil
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from pipeline.core.files.atomic import atomic_write

# The first moment that a .zip can name: it stands for none.
NO_TIME = (1980, 1, 1, 0, 0, 0)


def write_zip(folder: Path, path: Path) -> None:
    """Write all files of a folder, below its name, in the order of their names.

    Nothing is compressed: weights hardly shrink, and what zlib makes of bytes depends on its
    version.
    """
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    with atomic_write(path) as temporary, ZipFile(temporary, "w", ZIP_STORED) as archive:
        for file in files:
            name = (path.stem / file.relative_to(folder)).as_posix()
            entry = ZipInfo(name, NO_TIME)
            entry.create_system = 3  # Unix, whose rights the next line gives
            entry.external_attr = 0o100644 << 16
            entry.file_size = file.stat().st_size
            with file.open("rb") as source, archive.open(entry, "w") as target:
                shutil.copyfileobj(source, target)
