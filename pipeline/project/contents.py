"""What is known of a package without loading NumPy: its instruction set, and the list of its files.

The list finds a changed, missing or added file. It shows damage and mistakes: whoever may change a
file may change the list too. That nobody did is shown by the digest of the list, which who wrote
the package can tell.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_file
from pipeline.core.files.documents import document, parsed
from pipeline.core.machine.environment import establish

CONTENTS = "contents.json"
# What says in a folder that was handed over how its model is asked; the model's files lie beside.
DESCRIPTION = "predictor.json"
# Of files that are not as listed, so many are named.
NAMED = 10


@dataclass(frozen=True)
class Contents:
    """`files`: path → SHA-256 of every other file of the package."""

    files: dict[str, str]


@dataclass(frozen=True)
class _Description:
    params: dict[str, Any]


def description(folder: Path) -> Path:
    """The file that says how a model that was handed over is asked.

    Raises
    ------
    PipelineError
        The folder holds none.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        unpack = "unpack it, and give the folder that comes out"
        why = unpack if folder.is_file() else f"there is no {path}"
        raise PipelineError(f"{folder} holds no model that was handed over: {why}")
    return path


def establish_package(folder: Path) -> None:
    """Put this process under the instruction set of a package, before NumPy is loaded."""
    establish(document(description(folder), _Description).params["instructions"])


def write_contents(folder: Path) -> str:
    """List the files of a folder; the digest of the list."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    listed = Contents({path.relative_to(folder).as_posix(): digest_file(path) for path in files})
    path = folder / CONTENTS
    path.write_text(
        json.dumps(asdict(listed), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    return digest_file(path)


def check_contents(folder: Path) -> None:
    """Hold a folder to its list.

    Raises
    ------
    PipelineError
        A file is missing, changed, or lies unlisted in a folder of those that are listed.
    """
    path = folder / CONTENTS
    try:
        files = parsed(path.read_bytes(), Contents).files
    except ValueError:
        raise PipelineError(f"{path} is damaged: get the package again") from None
    if wrong := [*_wrong(folder, files)]:
        if len(wrong) > NAMED:
            wrong[NAMED:] = [f"and {len(wrong) - NAMED} more"]
        listed = "\n  ".join(wrong)
        raise PipelineError(
            f"{folder} is not as it was packaged:\n  {listed}\nGet the package again: this one may "
            f"answer otherwise."
        )


def _wrong(folder: Path, files: Mapping[str, str]) -> Iterator[str]:
    for name, digest in files.items():
        path = folder / name
        if not path.is_file():
            yield f"{name} is missing"
        elif digest_file(path) != digest:
            yield f"{name} has another digest than {CONTENTS} lists"
    for below in sorted({name.partition("/")[0] for name in files if "/" in name}):
        for path in sorted((folder / below).rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and name not in files and path.parent.name != "__pycache__":
                yield f"{name} is not listed"
