"""Where results of a store may be written, and how: outside of `data/`, whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import PipelineError


def check_free(path: Path, project: Path, force: bool) -> None:
    """Let through a path that may be written.

    Raises
    ------
    PipelineError
        It lies below the project's data/, its folder does not exist, or something stands there
        and `force` is not given.
    """
    whole = path.absolute().resolve()
    data = (project.absolute() / "data").resolve()
    if whole == data or data in whole.parents:
        raise PipelineError(f"{path} lies below {data}, where stages alone write: choose another")
    if not whole.parent.is_dir():
        raise PipelineError(f"there is no folder {whole.parent} to write {path.name} in: make it")
    if path.exists() and not force:
        raise PipelineError(f"{path} is there already: --force replaces it")


def missing(form: str, package: str) -> PipelineError:
    """What to raise where a form's library is not installed."""
    return PipelineError(f"the form {form} needs {package}: `pip install {package}`")


@contextmanager
def replacing_folder(path: Path, mark: str) -> Iterator[Path]:
    """A temporary path beside `path`, moved onto it when the block ends well, else removed.

    A folder that stands there is replaced only if it holds `mark`, by which it is known as one of
    this form.

    Raises
    ------
    PipelineError
        Something else stands there.
    """
    if path.exists() and not (path / mark).exists():
        raise PipelineError(
            f"{path} is no {mark} folder, so it is not replaced: remove it yourself"
        )
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        yield temporary
        if path.exists():
            path.rename(old)
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
