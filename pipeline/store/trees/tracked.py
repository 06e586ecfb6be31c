"""What is said of the bytes of every file below `data/`: by DVC, by the last runs, by manifests.

DVC says it in every dvc.lock and .dvc file, of a folder in a listing that lies in its cache; a
stage that ran says it in `.pipeline/done`; and a manifest, which readers follow, of the files
beside it. So an output is what one of these names, and no list of stages is needed.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.core.files.digest import digest_file
from pipeline.core.files.documents import document, parsed, reading
from pipeline.core.files.dvc_cache import cache_folder, dvc_folder
from pipeline.core.folders import DATA
from pipeline.parts import artifact, manifest
from pipeline.parts.manifest import MANIFEST
from pipeline.parts.up_to_date import recorded_outs
from pipeline.store.trees.remote import DIRECTORY, DvcObject
from pipeline.store.trees.revision import lock_outs, tracked_outs


@dataclass(frozen=True)
class Listed:
    """A file of a folder that DVC tracks, as the folder's listing has it."""

    relpath: str
    md5: str


@dataclass
class Tracked:
    """What DVC and the last runs say; paths are relative to the project.

    `md5s` maps a path to those of which its file has one, the likeliest first. `outs` are the
    outputs that DVC knows, `imported` those that no stage makes, `listed` the files of folders
    whose listing is at hand.
    """

    md5s: dict[Path, list[str]] = field(default_factory=dict)
    outs: dict[Path, DvcObject] = field(default_factory=dict)
    imported: set[Path] = field(default_factory=set)
    listed: set[Path] = field(default_factory=set)

    def out_of(self, path: Path) -> Path | None:
        """The output of DVC's that a file is or lies in."""
        return next((out for out in (path, *path.parents) if out in self.outs), None)

    def _add(self, path: Path, md5: str) -> None:
        known_md5s = self.md5s.setdefault(path, [])
        if md5 not in known_md5s:
            known_md5s.append(md5)

    def _add_listing(self, out: Path, listing: Path) -> None:
        for file in parsed(listing.read_bytes(), list[Listed]):
            self._add(out / file.relpath, file.md5)
            self.listed.add(out / file.relpath)


def read_tracked() -> Tracked:
    """What is said of the project that this is called in.

    Raises
    ------
    PipelineError
        A dvc.lock or a .dvc file is damaged.
    """
    result = Tracked()
    for name, md5 in recorded_outs().items():
        result._add(Path(name), md5)
    for lock in [*Path().glob("dvc.lock"), *Path().glob("[!.]*/dvc.lock")]:
        with reading(lock):
            outs = lock_outs(lock.read_bytes(), str(lock))
        result.outs |= {Path(DATA, name): dvc_object for name, dvc_object in outs.items()}
    for path in sorted(Path(DATA).rglob("*.dvc")):
        if path.is_file():
            with reading(path):
                outs = tracked_outs(path.read_bytes(), path.parent, str(path))
            result.outs |= {Path(DATA, name): dvc_object for name, dvc_object in outs.items()}
            result.imported |= {Path(DATA, name) for name in outs}
    dvc = dvc_folder(Path())
    cache = cache_folder(dvc) if dvc else Path()
    for out, dvc_object in result.outs.items():
        listing = cache.joinpath(*dvc_object.parts)
        if not dvc_object.md5.endswith(DIRECTORY):
            result._add(out, dvc_object.md5)
        elif dvc_object.is_whole(listing, check=True):
            result._add_listing(out, listing)
    return result


def files_of(folder: Path) -> Mapping[Path, str]:
    """Path → MD5 of the files that the manifest of a finished stage lists.

    Raises
    ------
    PipelineError
        The manifest is damaged.
    """
    if not (folder / MANIFEST).is_file():
        artifact_manifest = document(folder / artifact.MANIFEST, artifact.Manifest)
        return {folder / name: md5 for name, md5 in artifact_manifest.files.items()}
    parts = manifest.load_manifest(folder / MANIFEST)
    return {folder / f"{entry.key}.parquet": entry.md5 for entry in parts}


def md5_problem(path: Path, md5s: list[str]) -> str:
    """What is wrong with a file whose MD5 should be one of some; empty if it is.

    Every byte is read: no memory of sizes and times is asked. An OSError that says nothing of the
    bytes is passed on: the file may be whole.
    """
    if not path.is_file():
        return "it is missing"
    try:
        md5 = digest_file(path, "md5")
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return f"the disk fails: {error.strerror}"
    return "" if md5 in md5s else f"its MD5 is {md5}, but {md5s[0]} was written"
