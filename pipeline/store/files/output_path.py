"""Where results of a store may be written, and how: outside of `data/`, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.core.files.atomic import exchange, half, remove
from pipeline.core.folders import DATA


def check_free(path: Path, project: Path, force: bool) -> None:
    """Let through a path that may be written.

    Raises
    ------
    PipelineError
        It lies below the project's data/, its folder does not exist, or something stands there
        and `force` is not given.
    """
    check_outside(path, project)
    resolved = path.absolute().resolve()
    if not resolved.parent.is_dir():
        raise PipelineError(
            f"there is no folder {resolved.parent} to write {path.name} in: make it"
        )
    if path.exists() and not force:
        raise PipelineError(f"{path} is there already: --force replaces it")


def check_outside(path: Path, project: Path) -> None:
    """PipelineError if a path lies below the project's data/."""
    resolved = path.absolute().resolve()
    data = (project.absolute() / DATA).resolve()
    if resolved == data or data in resolved.parents:
        raise PipelineError(f"{path} lies below {data}, where stages alone write: choose another")


def missing_library(form: str, package: str) -> PipelineError:
    """What to raise where a form's library is not installed."""
    return PipelineError(f"the form {form} needs {package}: `pip install {package}`")


@contextmanager
def replacing_folder(path: Path, mark: str) -> Iterator[Path]:
    """A temporary path, moved onto `path` when the block ends well, else removed.

    A folder that stands there is replaced only if it holds `mark`, by which it is known as one of
    this form. Whenever the process ends, the old or the new one stands there, whole.

    Raises
    ------
    PipelineError
        Something else stands there, or the file system cannot exchange two folders.
    """
    if path.exists() and not (path / mark).exists():
        raise PipelineError(
            f"{path} is no {mark} folder, so it is not replaced: remove it yourself"
        )
    temporary = half(path)
    try:
        yield temporary
        if path.exists():
            _exchange(temporary, path)
        else:
            temporary.rename(path)
    finally:
        remove(temporary)


def _exchange(temporary: Path, path: Path) -> None:
    try:
        exchange(temporary, path)
    except OSError as error:
        raise PipelineError(
            f"{path} cannot be replaced in one step here ({error.strerror}), so it stands: remove "
            f"it yourself, or choose another path"
        ) from None
