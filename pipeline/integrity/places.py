"""What there is to read: outputs and raw batches, sidecars, DVC's cache, a remote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.core.files.dvc_cache import cache_folder
from pipeline.core.files.lock import locked
from pipeline.core.folders import DATA, RAW
from pipeline.integrity.copies import CACHE, Copies, has_md5
from pipeline.integrity.unit import Unit
from pipeline.parts import artifact
from pipeline.parts.manifest import MANIFEST
from pipeline.raw.downloads import RECORD
from pipeline.store.sidecar import FOLDER, is_sealed
from pipeline.store.trees.remote import DIRECTORY, Remote
from pipeline.store.trees.tracked import Tracked, files_of, md5_problem


@dataclass
class ProjectFiles:
    """The files below `data/`, held against what is said of them.

    A manifest that is whole speaks for the files beside it, for readers follow it alone; DVC and
    the last runs speak for manifests, and for what has none. `manifests` are looked at, and mended,
    before `units` are asked for; the folders of those that stay damaged are added to `damaged`.

    Beside units it finds the `absent` outputs, which are not here at all, and the number of files
    of which nothing says what they held, `unknown`.
    """

    tracked: Tracked
    copies: Copies
    damaged: set[Path] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    unknown: int = 0

    @cached_property
    def _manifests(self) -> dict[Path, Path]:
        """The folders that have, or should have, a manifest → its path."""
        manifests = {
            path.parent: path
            for name in (artifact.MANIFEST, MANIFEST)
            for path in (
                *Path(DATA).rglob(name),
                *(recorded for recorded in self.tracked.md5s if recorded.name == name),
            )
        }
        raw = Path(DATA, RAW)
        return {
            folder: manifests[folder]
            for folder in sorted(manifests)
            if folder.is_dir() and raw not in folder.parents
        }

    def manifests(self) -> Iterator[Unit]:
        """The manifests of finished stages."""
        for folder, path in self._manifests.items():
            if self._is_absent(path):
                continue
            yield self._unit(folder, path, self.tracked.md5s.get(path, []))

    def units(self) -> Iterator[Unit]:
        """Everything else, in no order."""
        covered: set[Path] = set()
        intact: set[Path] = set()
        for folder, manifest in self._manifests.items():
            covered.add(manifest)
            listed = self._listed(folder)
            if listed is None:
                self.damaged.add(folder)
                continue
            intact.add(folder)
            covered |= listed.keys()
            for path, md5 in listed.items():
                yield self._unit(folder, path, [md5])
        for path, md5s in self.tracked.md5s.items():
            if path in covered or intact & set(path.parents):
                continue
            covered.add(path)
            absent = self._is_absent(path)
            # Of a folder whose manifest is damaged, nobody knows which files it should have.
            expected = path in self.tracked.listed and not self.damaged & set(path.parents)
            if path.is_file() or (expected and not absent):
                yield self._unit(self.tracked.out_of(path) or path.parent, path, md5s)
        present = {
            path
            for path in Path(DATA).rglob("*")
            if path.is_file() and not _is_untracked_by_design(path)
        }
        self.unknown = len(present - covered)

    def _listed(self, folder: Path) -> Mapping[Path, str] | None:
        """What a manifest says of its files; None where there is none that can be trusted."""
        if folder in self.damaged:
            return None
        try:
            return files_of(folder)
        except (PipelineError, FileNotFoundError):
            return None

    def copies_of(self) -> dict[str, list[Path]]:
        """MD5 → files of the work tree that should have it."""
        files_by_md5: dict[str, list[Path]] = {}
        for path, md5s in self.tracked.md5s.items():
            for md5 in md5s:
                files_by_md5.setdefault(md5, []).append(path)
        return files_by_md5

    def _is_absent(self, path: Path) -> bool:
        """Whether the whole output that a file belongs to is not here, which DVC itself sees."""
        out = self.tracked.out_of(path)
        if out is None or out.exists():
            return False
        self.absent.add(str(out))
        return True

    def _unit(self, out: Path, path: Path, md5s: list[str]) -> Unit:
        size = path.stat().st_size if path.is_file() else 0
        mend = partial(self._mend, out, path, md5s)
        if md5s:
            return Unit(str(out), str(path), size, partial(md5_problem, path, md5s), mend)
        return Unit(str(out), str(path), size, partial(_manifest_problem, out), mend)

    def _mend(self, out: Path, path: Path, md5s: list[str]) -> str:
        """Bring a file back or, if a stage makes it, remove it; alone on its output."""
        with locked(out) if out.is_dir() else nullcontext():
            message = self.copies.bring_back(path, md5s)
            imported = any(
                candidate in self.tracked.imported for candidate in (path, *path.parents)
            )
            return message or ("" if imported else self.copies.drop(path, md5s))


def sidecar_units() -> Iterator[Unit]:
    """What stands beside the store, `.pipeline/store`: made again when it is asked for."""

    def mend(path: Path) -> str:
        path.unlink(missing_ok=True)
        return "removed: it is built again when it is asked for"

    for path in sorted(FOLDER.glob("[!.]*")):
        check = partial(_sidecar_problem, path)
        yield Unit(str(FOLDER), str(path), path.stat().st_size, check, partial(mend, path))


def cache_units(copies: Copies, copies_by_md5: dict[str, list[Path]]) -> Iterator[Unit]:
    """The objects of DVC's cache, each named by the MD5 of its bytes."""
    if copies.dvc is None:
        raise PipelineError("this folder is no DVC project, so it has no cache: run `dvc init`")
    for path in sorted(cache_folder(copies.dvc).glob("files/md5/??/*")):
        md5 = path.parent.name + path.name
        if not path.name.startswith("."):
            check = partial(md5_problem, path, [md5.removesuffix(DIRECTORY)])
            mend = partial(copies.mend_object, path, md5, copies_by_md5.get(md5, []))
            yield Unit(CACHE, str(path), path.stat().st_size, check, mend)


def remote_units(copies: Copies, name: str) -> Iterator[Unit]:
    """The objects of a remote of DVC's, mended from the cache."""
    if copies.dvc is None:
        raise PipelineError("this folder is no DVC project, so it has no remote: run `dvc init`")
    dvc_remote = Remote.of(copies.dvc, name)

    def check(path: str, md5: str) -> str:
        actual = dvc_remote.md5(path)
        return "" if actual == md5.removesuffix(DIRECTORY) else f"its MD5 is {actual}"

    def mend(path: str, md5: str) -> str:
        source = copies.object(md5)
        if not has_md5(source, md5):
            return ""
        dvc_remote.put(source, path)
        return f"replaced by that of {CACHE}"

    for path, size in dvc_remote.objects().items():
        md5 = "".join(path.replace("\\", "/").split("/")[-2:])
        place = f"the remote {dvc_remote.name}"
        yield Unit(place, path, size, partial(check, path, md5), partial(mend, path, md5))


def _manifest_problem(folder: Path) -> str:
    """What is wrong with a manifest of which nothing says what it held."""
    try:
        files_of(folder)
    except PipelineError:
        return "it is no manifest"
    return ""


def _sidecar_problem(path: Path) -> str:
    return "" if is_sealed(path) else "it does not end in the digest of what stands in it"


def _is_untracked_by_design(path: Path) -> bool:
    """Whether git keeps a file, or nothing needs it: what DVC writes, hidden files, notes."""
    hidden = any(part.startswith(".") for part in path.parts)
    kept_by_git = path.suffix == ".dvc" or path.name == RECORD or path == Path(DATA, "README.md")
    return hidden or kept_by_git
