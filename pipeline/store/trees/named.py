"""What params.yaml names below `data/`: of anything else, what lies there is left over.

dvc.lock keeps the stages of every params.yaml there has been, and DVC leaves their folders where
they are; a store must see neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

# Folder below `data/` → the section of params.yaml that names what lies in it.
SECTIONS = {
    "assets": "modalities",
    "clean": "modalities",
    "augmented": "modalities",
    "features": "features",
    "models": "models",
    "evaluation": "models",
}


def is_named(params: Mapping[str, Any], path: str) -> bool:
    """Whether params name what a path relative to `data/` is or lies in.

    A section that params do not have at all says nothing against it.
    """
    folder, _, below = path.partition("/")
    name = below.partition("/")[0]
    section = params.get(SECTIONS.get(folder, ""))
    return not name or section is None or name in section


def leftovers(data: Path, params: Mapping[str, Iterable[str]]) -> list[Path]:
    """The folders below `data` that params no longer name, sorted."""
    return sorted(
        path
        for folder in SECTIONS
        for path in (data / folder).glob("*")
        if path.is_dir() and not is_named(params, path.relative_to(data).as_posix())
    )
