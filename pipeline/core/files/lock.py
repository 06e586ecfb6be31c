"""One writer a directory."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.core.errors import PipelineError


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold a directory for one writer. The lock dies with the process, whatever kills it."""
    folder = Path(".pipeline", "locks")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{lock_path(out)}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PipelineError(
                f"another process is writing {out}; wait for it, or stop it"
            ) from None
        yield


def lock_path(out: Path) -> str:
    """A directory's name as a part of file names."""
    return out.as_posix().strip("/").replace("/", "-")
