"""The history of a project's feature sets: the commits in which dvc.lock names others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pipeline.core.errors import PipelineError
from pipeline.core.folders import FEATURES
from pipeline.store.trees.git import git, read_blobs, resolve_commit
from pipeline.store.trees.named import is_named
from pipeline.store.trees.remote import DvcObject
from pipeline.store.trees.revision import as_dvc_writes, lock_outs
from pipeline.store.trees.tree import parse_params

Change = Literal["added", "changed", "removed"]


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit that changed feature sets: name → what became of it since the commit before."""

    commit: str
    date: datetime
    subject: str
    changes: Mapping[str, Change]


def history(project: Path, rev: str = "HEAD") -> list[Commit]:
    """The commits up to a revision in which feature sets changed, newest first.

    A commit is held against its first parent. Nothing but git is read: DVC's cache may lack them.

    Raises
    ------
    PipelineError
        There is no such revision, or no git repository.
    """
    project = project.resolve()
    arguments = ["rev-list", "--format=%cI %s", resolve_commit(project, rev), "--", "dvc.lock"]
    lines = git(project, *arguments).decode(errors="replace").split("\n")[:-1]
    commits = [line.removeprefix("commit ") for line in lines[::2]]
    versions = [f"{commit}{up}" for commit in commits for up in ("", "^")]
    locks = read_blobs(project, [f"{version}:./dvc.lock" for version in versions])
    params = read_blobs(project, [f"{version}:./params.yaml" for version in versions])
    # Most commits' parent holds the lock of another commit of the list.
    read = {lock.name: lock.data for lock in locks if lock}
    features_by_lock = {name: _features(data, name) for name, data in read.items()}
    sets = [
        _named(features_by_lock[lock.name], text.data if text else b"") if lock else {}
        for lock, text in zip(locks, params, strict=True)
    ]
    changed = []
    for number, (commit, headline) in enumerate(zip(commits, lines[1::2], strict=True)):
        new, old = sets[2 * number : 2 * number + 2]
        date, _, subject = headline.partition(" ")
        changes = _changes(old, new)
        if changes:
            changed.append(Commit(commit, datetime.fromisoformat(date), subject, changes))
    return changed


def _features(lock: bytes, name: str) -> dict[str, DvcObject]:
    where = f"the dvc.lock that git calls {name}"
    with as_dvc_writes(where):
        outs = lock_outs(lock, where)
    return {
        path.removeprefix(f"{FEATURES}/"): out
        for path, out in outs.items()
        if path.startswith(f"{FEATURES}/")
    }


def _named(sets: Mapping[str, DvcObject], params: bytes) -> dict[str, DvcObject]:
    """The sets that params.yaml names, where it can be read."""
    try:
        named = parse_params(params.decode(errors="replace"), "params.yaml")
    except PipelineError:
        named = {}
    return {name: out for name, out in sets.items() if is_named(named, f"{FEATURES}/{name}")}


def _changes(old: Mapping[str, DvcObject], new: Mapping[str, DvcObject]) -> dict[str, Change]:
    changes: dict[str, Change] = {}
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            changes[name] = (
                "removed" if name not in new else "added" if name not in old else "changed"
            )
    return changes
