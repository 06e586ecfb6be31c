"""What a stage refused when it failed, so that its reasons can be read though it has no output.

They stand in .pipeline/refused until the stage ends well: local, and no part of any output.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.core.files.atomic import atomic_write
from pipeline.core.files.documents import parsed
from pipeline.core.records import Reject

FOLDER = Path(".pipeline", "refused")


def keep(stage: str, rejects: Iterable[Reject]) -> None:
    """Put down what a stage refused, in place of what it refused before."""
    path = _path(stage)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(asdict(reject))}\n" for reject in rejects)


def forget(stage: str) -> None:
    """The stage ended well: what it refused stands in its output."""
    _path(stage).unlink(missing_ok=True)


def kept(stage: str, project: Path = Path()) -> list[Reject] | None:
    """What a project's stage refused when it failed; None if it ended well, or did not run.

    Raises
    ------
    PipelineError
        The file is damaged.
    """
    try:
        lines = (project / _path(stage)).read_bytes().splitlines()
    except FileNotFoundError:
        return None
    try:
        return [parsed(line, Reject) for line in lines]
    except ValueError:
        raise PipelineError(f"{_path(stage)} is damaged: remove it and run `dvc repro`") from None


def _path(stage: str) -> Path:
    return FOLDER / f"{stage.replace('/', '@')}.jsonl"
