"""A file appears whole or not at all, beside whatever stood there before.

It is no part of a key (see `fingerprint.INERT`): what a file holds is decided by who writes it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, moved onto it when the block ends well, else removed.

    It is this thread's own: of several that write one file, the last to end wins.
    """
    own = f"{os.getpid()}.{threading.get_ident()}"
    temporary = path.with_name(f".{path.name}.{own}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
