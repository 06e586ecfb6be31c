"""Good copies of files, by their MD5, and files put in place of damaged ones.

A file is put in place by rename, so that what is linked to the damaged one is left alone, and what
remembers digests by size, time and inode reads it again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.core.files.atomic import atomic_write
from pipeline.core.files.dvc_cache import cache_folder, dvc_folder, place
from pipeline.store.trees.remote import DIRECTORY, DvcObject, RemoteUnavailable, fetch_object
from pipeline.store.trees.tracked import md5_problem

CACHE = "DVC's cache"


@dataclass(frozen=True)
class Copies:
    """Where good copies may be; `dvc` is the folder `.dvc`, None where there is none."""

    dvc: Path | None

    @classmethod
    def of_project(cls) -> Copies:
        """Of the project that this is called in."""
        return cls(dvc_folder(Path()))

    def object(self, md5: str) -> Path:
        """Where DVC's cache has, or would have, a file."""
        return cache_folder(self.dvc).joinpath(*place(md5)) if self.dvc else Path()

    def find(self, md5: str) -> tuple[Path, str] | None:
        """A file's object in DVC's cache, whole, and whence: the cache itself, or a remote.

        What a remote gives takes the place of a damaged object.

        Raises
        ------
        RemoteUnavailable
            A remote could not be asked.
        """
        path = self.object(md5)
        if has_md5(path, md5):
            return path, CACHE
        if self.dvc is None:
            return None
        try:
            return fetch_object(self.dvc, DvcObject(md5), md5, check=True), "a remote of DVC's"
        except RemoteUnavailable:
            raise
        except PipelineError:
            return None

    def bring_back(self, path: Path, md5s: Iterable[str]) -> str:
        """Put a file of the project back; says whence, or nothing if there is no good copy."""
        for md5 in md5s:
            copy = self.find(md5)
            if copy is not None:
                put(copy[0], path)
                return f"brought back from {copy[1]}"
        return ""

    def drop(self, path: Path, md5s: Iterable[str]) -> str:
        """Remove a file that a stage makes again, and its objects, which are damaged too.

        DVC would keep such an object when the stage has made the file again.
        """
        path.unlink(missing_ok=True)
        for md5 in md5s:
            if self.dvc is not None:
                self.object(md5).unlink(missing_ok=True)
        return "removed, having no good copy: `dvc repro` makes it again"

    def mend_object(self, path: Path, md5: str, copies: Sequence[Path]) -> str:
        """Put a good copy in place of a damaged object of DVC's cache; says whence, if any."""
        for copy in copies:
            if has_md5(copy, md5):
                put(copy, path, 0o444)
                return f"replaced by {copy}"
        path_and_source = self.find(md5)
        return f"replaced by that of {path_and_source[1]}" if path_and_source else ""


def has_md5(path: Path, md5: str) -> bool:
    """Whether a file has an MD5, every byte being read; `md5` may be that of a listing."""
    return not md5_problem(path, [md5.removesuffix(DIRECTORY)])


def put(source: Path, path: Path, mode: int = 0o644) -> None:
    """Let a file be a copy of another."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        shutil.copyfile(source, temporary)
        temporary.chmod(mode)
