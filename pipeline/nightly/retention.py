"""What DVC's cache and a remote keep: revisions by what they mean, and what no kept one needs goes.

DVC's own `gc` counts commits; a night that failed, or changed nothing, would take the place of one
that somebody needs. Here versions of the data are counted, and promoted models are kept with all
that they need.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.core.batches import in_order
from pipeline.core.errors import PipelineError
from pipeline.core.files.dvc_cache import cache_folder, dvc_folder, place
from pipeline.core.folders import DATA
from pipeline.core.parsing import parse_json, yaml_loader
from pipeline.nightly.ledger import read_ledger
from pipeline.params.aliases import read_aliases
from pipeline.store.trees.git import git, read_blobs, resolve_commit
from pipeline.store.trees.remote import DIRECTORY, DvcObject, Remote, object_path

HERE = Path()
NIGHTS = "refs/tags/nightly/"
# What was written so lately may belong to work that is under way.
GRACE_S = 24 * 3600.0


@dataclass(frozen=True)
class Keep:
    """How much is kept: versions of the data of the last nights, and the last one of each month."""

    nights: int = 30
    months: int = 12


@dataclass(frozen=True)
class Kept:
    """A revision that is kept, why, and its objects by MD5, of which `lacking` are not there."""

    commit: str
    name: str
    reason: str
    objects: frozenset[str]
    lacking: frozenset[str] = frozenset()


@dataclass
class Swept:
    """What would go, or went: `kept_bytes` by the first reason that asks for an object."""

    revisions: list[Kept]
    kept_bytes: dict[str, int] = field(default_factory=dict)
    kept_files: dict[str, int] = field(default_factory=dict)
    removed: dict[str, int] = field(default_factory=dict)


def kept_revisions(keep: Keep) -> list[tuple[str, str, str]]:
    """(commit, name, reason) of every revision that is kept, the weightiest reason first.

    Raises
    ------
    PipelineError
        This folder is in no git repository, or the ledger or aliases.yaml is damaged.
    """
    kept: dict[str, tuple[str, str]] = {resolve_commit(HERE, "HEAD"): ("HEAD", "checked out")}

    def add(commits: Iterable[tuple[str, str]], reason: str) -> None:
        for commit, name in commits:
            kept.setdefault(commit, (name, reason))

    add(_refs("refs/heads", "refs/remotes"), "branch")
    add(((alias.revision, name) for name, alias in read_aliases(HERE).items()), "in use")
    promoted = (event for event in read_ledger().events if event.kind == "promoted")
    add(((event.revision, event.run) for event in promoted), "promoted")
    tags = _refs("refs/tags")
    nights = {commit: name for commit, name in tags if name.startswith("nightly/")}
    add(((commit, name) for commit, name in tags if commit not in nights), "tag")
    add(_refs("refs/exps"), "experiment")
    versions = _versions(nights)
    add(versions[: keep.nights], "night")
    months: dict[str, tuple[str, str]] = {}
    for commit, name in versions:
        months.setdefault(name.removeprefix("nightly/")[:7], (commit, name))
    add([*months.values()][: keep.months], "month")
    known = {commit for commit in kept if _exists(commit)}
    return [(commit, name, why) for commit, (name, why) in kept.items() if commit in known]


def sweep(keep: Keep, remove: bool, remote: str = "", grace: float = GRACE_S) -> Swept:
    """Find what no kept revision needs in DVC's cache, or in a remote, and remove it if asked.

    Parameters
    ----------
    remote:
        Name of a remote of DVC's; empty: the cache.
    grace:
        Seconds for which what was written is left, be it of work that no commit here names yet.

    Raises
    ------
    PipelineError
        There is no cache, DVC is at work, what is tracked cannot be read, or a kept revision lacks
        after the sweep what it had before.
    """
    dvc = dvc_folder(HERE)
    if dvc is None:
        raise PipelineError("this folder is no DVC project, so it has no cache: run `dvc init`")
    _check_idle(dvc)
    store = _Remote(Remote.of(dvc, remote), grace) if remote else _Cache(cache_folder(dvc), grace)
    objects = store.objects()
    tracked = _Tracked()
    revisions = [
        Kept(commit, name, why, wanted, frozenset(wanted - objects.keys()))
        for commit, name, why in kept_revisions(keep)
        for wanted in [tracked.objects(commit)]
    ]
    revisions.append(Kept("", "work tree", "work tree", tracked.objects("")))
    swept = Swept(revisions)
    needed: dict[str, str] = {}
    for revision in revisions:
        for md5 in revision.objects:
            needed.setdefault(md5, revision.reason)
    for md5, size in objects.items():
        why = needed.get(md5) or ("written lately" if store.is_recent(md5) else "")
        if why:
            swept.kept_bytes[why] = swept.kept_bytes.get(why, 0) + size
            swept.kept_files[why] = swept.kept_files.get(why, 0) + 1
        else:
            swept.removed[md5] = size
    if remove:
        for md5 in swept.removed:
            store.remove(md5)
        _check_whole(revisions, store.objects().keys())
    return swept


def _check_whole(revisions: Iterable[Kept], objects: Iterable[str]) -> None:
    """The proof: each kept revision has every object that it had."""
    standing = set(objects)
    for revision in revisions:
        lost = revision.objects - revision.lacking - standing
        if lost and revision.commit:
            raise PipelineError(
                f"{revision.name} lost {len(lost)} objects while they were swept, such as "
                f"{min(lost)}: is DVC at work? `dvc fetch` brings them back from a remote"
            )


def _refs(*prefixes: str) -> list[tuple[str, str]]:
    """(commit, short name), in the order of git."""
    asked = "--format=%(objectname) %(*objectname) %(refname:short)"
    listed = git(HERE, "for-each-ref", asked, *prefixes).decode().splitlines()
    refs = []
    for line in listed:
        first, *rest = line.split(" ")
        name = rest[-1]
        # Of an annotated tag the second is its commit.
        refs.append((rest[0] or first, name))
    return refs


def _versions(nights: Mapping[str, str]) -> list[tuple[str, str]]:
    """(commit, tag) of nights, the newest first, one for each version of the data."""
    ordered = sorted(nights.items(), key=lambda night: in_order(night[1]), reverse=True)
    blobs = read_blobs(HERE, [f"{commit}:./dvc.lock" for commit, _ in ordered])
    seen: set[str] = set()
    versions = []
    for night, blob in zip(ordered, blobs, strict=True):
        version = blob.name if blob else ""
        if version not in seen:
            seen.add(version)
            versions.append(night)
    return versions


def _exists(commit: str) -> bool:
    try:
        git(HERE, "cat-file", "-e", f"{commit}^{{commit}}")
    except PipelineError:
        return False
    return True


def _check_idle(dvc: Path) -> None:
    lock = dvc / "tmp" / "rwlock"
    try:
        held = parse_json(lock.read_bytes() or b"{}")
    except FileNotFoundError:
        return
    except ValueError:
        raise PipelineError(f"{lock} is damaged: `pipeline check` says how it is mended") from None
    if held:
        raise PipelineError("DVC is at work here: wait for it to end")


class _Tracked:
    """The objects that a commit's dvc.lock and .dvc files name, read once each."""

    def __init__(self) -> None:
        self._by_blob: dict[str, frozenset[str]] = {}

    def objects(self, commit: str) -> frozenset[str]:
        """Of a commit, or of the work tree if it is empty."""
        if not commit:
            texts = [
                (f"{path} {path.stat().st_mtime_ns}", path.read_bytes())
                for pattern in ("dvc.lock", "*.dvc", "[!.]*/dvc.lock", f"{DATA}/**/*.dvc")
                for path in HERE.glob(pattern)
                if path.is_file()
            ]
            return frozenset().union(*(self._named(*text) for text in texts))
        listed = git(HERE, "ls-tree", "-r", "-z", "--name-only", commit).decode().split("\0")
        names = [n for n in listed if n.endswith(".dvc") or n.rpartition("/")[2] == "dvc.lock"]
        blobs = read_blobs(HERE, [f"{commit}:./{name}" for name in names])
        named = (self._named(blob.name, blob.data) for blob in blobs if blob is not None)
        return frozenset().union(*named)

    def _named(self, name: str, data: bytes) -> frozenset[str]:
        if name not in self._by_blob:
            with yaml_loader(data, name) as loader:
                document = loader.get_single_data() or {}
            md5s = {*_md5s(document)}
            for md5 in [md5 for md5 in md5s if md5.endswith(DIRECTORY)]:
                md5s |= self._listed(md5)
            self._by_blob[name] = frozenset(md5s)
        return self._by_blob[name]

    def _listed(self, md5: str) -> set[str]:
        """What a folder's listing names.

        Without the listing nobody knows what a revision needs, so then nothing may be removed.
        """
        path = object_path(HERE, DvcObject(md5), f"the listing {md5}", check=True)
        return {entry["md5"] for entry in parse_json(path.read_bytes())}


def _md5s(document: Any) -> Iterable[str]:
    """The MD5 of every out of a dvc.lock or a .dvc file."""
    stages = document.get("stages", {}).values() if isinstance(document, Mapping) else ()
    for part in (document, *stages):
        for out in part.get("outs") or ():
            if "md5" in out:
                yield out["md5"]


@dataclass
class _Cache:
    folder: Path
    grace: float

    def objects(self) -> dict[str, int]:
        return {
            path.parent.name + path.name: path.stat().st_size
            for path in self.folder.glob("files/md5/??/[!.]*")
        }

    def is_recent(self, md5: str) -> bool:
        return time.time() - self._path(md5).stat().st_mtime < self.grace

    def remove(self, md5: str) -> None:
        self._path(md5).unlink(missing_ok=True)

    def _path(self, md5: str) -> Path:
        return self.folder.joinpath(*place(md5))


@dataclass
class _Remote:
    remote: Remote
    grace: float
    paths: dict[str, str] = field(default_factory=dict)

    def objects(self) -> dict[str, int]:
        sizes = self.remote.objects()
        self.paths = {"".join(p.replace("\\", "/").split("/")[-2:]): p for p in sizes}
        return {md5: sizes[path] for md5, path in self.paths.items()}

    def is_recent(self, md5: str) -> bool:
        written = self.remote.written(self.paths[md5])
        return written is not None and time.time() - written < self.grace

    def remove(self, md5: str) -> None:
        self.remote.remove(self.paths[md5])
