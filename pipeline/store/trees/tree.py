"""Where a project's data lie: in the work tree here, at a revision in `revision.py`."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pipeline.core.errors import PipelineError
from pipeline.parts.manifest import MANIFEST
from pipeline.store.trees.named import is_named


class Tree(Protocol):
    """The data of a project at one time, file by file; paths are relative to `data/`.

    What its params do not name is not there; see `named`.
    """

    @property
    def name(self) -> str:
        """What people call it: `the work tree`, or a revision."""

    @property
    def project(self) -> Path:
        """The project's folder, below which sidecars may be written."""

    @property
    def params(self) -> Mapping[str, Any]:
        """params.yaml as it stood, not validated."""

    def file(self, path: str) -> Path:
        """A file of this machine with the content of `path`, to be read and never written.

        Raises
        ------
        PipelineError
            The tree has no such file, or nothing here and no remote holds its content.
        """

    def names(self, folder: str) -> list[str]:
        """Names in a folder, sorted, but for hidden ones; none where there is no such folder."""

    def moved(self) -> bool:
        """Whether another manifest stands in the place of one that `file` has given."""

    def renewed(self) -> Tree:
        """The same, that has given no manifest yet."""


@dataclass(frozen=True)
class WorkTree:
    """The data as they lie on this machine now."""

    data: Path
    name: str = "the work tree"

    @property
    def project(self) -> Path:
        return self.data.parent

    @property
    def params(self) -> Mapping[str, Any]:
        return _params((self.project / "params.yaml").absolute())

    def file(self, path: str) -> Path:
        local = self.data / path
        if not local.is_file():
            raise PipelineError(
                f"there is no {local}: `dvc repro` makes it, `dvc checkout` brings it back from "
                f"the cache"
            )
        if local.name == MANIFEST:
            # The first that was given stands for what readers hold on to.
            self._manifests.setdefault(local, _stamp(local))
        return local

    def moved(self) -> bool:
        return any(_stamp(path) != stamp for path, stamp in list(self._manifests.items()))

    def renewed(self) -> WorkTree:
        return WorkTree(self.data, self.name)

    @functools.cached_property
    def _manifests(self) -> dict[Path, tuple[int, int] | None]:
        return {}

    def names(self, folder: str) -> list[str]:
        path = self.data / folder
        if not path.is_dir():
            return []
        names = (entry.name for entry in path.iterdir() if not entry.name.startswith("."))
        return sorted(name for name in names if is_named(self.params, f"{folder}/{name}"))


def parse_params(text: str, where: str) -> Mapping[str, Any]:
    """A params.yaml that may be older than today's rules."""
    from pipeline.core.parsing import yaml_loader

    with yaml_loader(text, where) as loader:
        params = loader.get_single_data()
    if not isinstance(params, dict):
        raise PipelineError(f"{where} holds no sections")
    return params


def _stamp(path: Path) -> tuple[int, int] | None:
    """By which a file that was replaced is told; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


@functools.lru_cache(maxsize=8)
def _params(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise PipelineError(f"there is no {path}: a store is the folder of a project")
    return parse_params(path.read_text(encoding="utf-8"), str(path))
