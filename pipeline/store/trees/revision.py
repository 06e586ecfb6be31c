"""A project's data at a git revision: named by dvc.lock, read where they lie in DVC's cache."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.files.documents import WRONG
from pipeline.core.folders import DATA, FEATURES, RAW
from pipeline.core.parsing import parse_json, yaml_loader
from pipeline.parts.manifest import MANIFEST, load_manifest
from pipeline.store.trees.git import git, read_blobs, resolve_commit
from pipeline.store.trees.named import is_named
from pipeline.store.trees.remote import DIRECTORY, DvcObject, object_path
from pipeline.store.trees.tree import parse_params


@dataclass(frozen=True)
class Revision:
    """The data of a commit. Nothing is checked out, and the work tree is not touched.

    Threads and forks may share one: it holds nothing open, and what it has learnt it may learn
    twice.

    Parameters
    ----------
    name:
        The revision as it was asked for.
    params_text:
        Its params.yaml.
    outs:
        What DVC tracks and params name: path relative to `data/` → its object.
    """

    project: Path
    name: str
    commit: str
    params_text: str = field(repr=False, compare=False)
    outs: Mapping[str, DvcObject] = field(repr=False, compare=False)

    @classmethod
    def at(cls, project: Path, rev: str) -> Revision:
        """The data of a project, which may lie in a subfolder of its repository, at a revision.

        Raises
        ------
        PipelineError
            There is no such revision, or it has no params.yaml or no features.
        """
        project = project.resolve()
        if not project.is_dir():
            raise PipelineError(f"there is no folder {project}")
        commit = resolve_commit(project, rev)
        listed = git(project, "ls-tree", "-r", "-z", "--name-only", commit, f"{DATA}/")
        tracked = [name for name in listed.decode().split("\0") if name.endswith(".dvc")]
        names = ["params.yaml", "dvc.lock", *tracked]
        params, lock, *dvc = read_blobs(project, [f"{commit}:./{name}" for name in names])
        if params is None:
            raise PipelineError(f"revision {rev} has no params.yaml in {project}")
        where = f"dvc.lock of {rev}"
        with as_dvc_writes(where):
            outs = {} if lock is None else lock_outs(lock.data, where)
        for name, blob in zip(tracked, dvc, strict=True):
            entries, where = blob.data if blob else b"", f"{name} of {rev}"
            with as_dvc_writes(where):
                outs |= tracked_outs(entries, PurePosixPath(name).parent, where)
        text = decoded(params.data, f"params.yaml of revision {rev}")
        named = parse_params(text, f"params.yaml of revision {rev}")
        outs = {path: out for path, out in outs.items() if is_named(named, path)}
        revision = cls(project, rev, commit, text, outs)
        if not revision.names(FEATURES):
            why = "it has no dvc.lock" if lock is None else "its dvc.lock names none of its params"
            raise PipelineError(
                f"revision {rev} has no features: {why}. `dvc repro` makes them and `git commit` "
                f"keeps dvc.lock; `pipeline store log` lists the commits that have some"
            )
        return revision

    @cached_property
    def params(self) -> Mapping[str, Any]:
        """See `Tree.params`."""
        return parse_params(self.params_text, f"params.yaml of revision {self.name}")

    def file(self, path: str) -> Path:
        """The object of a file, in DVC's cache; see `Tree.file`."""
        dvc_object = self._object(path)
        if dvc_object is None:
            raise PipelineError(f"revision {self.name} has no {DATA}/{path}")
        # A manifest says what to read and how long it is; all else is held against that.
        check = path.endswith(MANIFEST) and dvc_object.md5 not in self._checked
        local = object_path(self.project, dvc_object, self._describe(path), check)
        if check:
            _check_readable(local, self._describe(path))
            self._checked.add(dvc_object.md5)
        return local

    def names(self, folder: str) -> list[str]:
        """Names in a folder, sorted; see `Tree.names`."""
        start = folder.rstrip("/") + "/"
        found_names = {
            path[len(start) :].split("/")[0] for path in self.outs if path.startswith(start)
        }
        out = self._out(folder)
        if out is not None:
            inside = PurePosixPath(folder).relative_to(out).as_posix()
            start = "" if inside == "." else inside + "/"
            listed = self._listing(out)
            found_names |= {
                name[len(start) :].split("/")[0] for name in listed if name.startswith(start)
            }
        return sorted(found_names)

    def moved(self) -> bool:
        """Never; see `Tree.moved`."""
        return False

    def renewed(self) -> Revision:
        """Itself; see `Tree.renewed`."""
        return self

    def files(self, outs: Iterable[str]) -> dict[str, str]:
        """Path → MD5 of the files of some of `outs`; a folder's listing alone is read."""
        md5s: dict[str, str] = {}
        for out in outs:
            dvc_object = self.outs.get(out)
            if dvc_object is not None and dvc_object.md5.endswith(DIRECTORY):
                md5s |= {f"{out}/{path}": md5 for path, md5 in self._listing(out).items()}
            elif dvc_object is not None:
                md5s[out] = dvc_object.md5
        return md5s

    def _object(self, path: str) -> DvcObject | None:
        dvc_object = self.outs.get(path)
        if dvc_object is not None:
            return None if dvc_object.md5.endswith(DIRECTORY) else dvc_object
        out = self._out(path)
        if out is None:
            return None
        md5 = self._listing(out).get(PurePosixPath(path).relative_to(out).as_posix())
        return None if md5 is None else DvcObject(md5, self._size(path))

    def _out(self, path: str) -> str | None:
        """The tracked folder that a path lies in, or is."""
        for folder in (PurePosixPath(path), *PurePosixPath(path).parents):
            dvc_object = self.outs.get(folder.as_posix())
            if dvc_object is not None and dvc_object.md5.endswith(DIRECTORY):
                return folder.as_posix()
        return None

    def _listing(self, out: str) -> Mapping[str, str]:
        """Path → MD5 of the files of a tracked folder."""
        if out not in self._listings:
            path = object_path(self.project, self.outs[out], self._describe(out), check=True)
            entries = parse_json(path.read_bytes())
            self._listings[out] = {entry["relpath"]: entry["md5"] for entry in entries}
        return self._listings[out]

    def _size(self, path: str) -> int | None:
        """The bytes of a part, as the manifest beside it says."""
        folder, _, name = path.rpartition("/")
        manifest = f"{folder}/{MANIFEST}"
        ours = name.endswith(".parquet") and not folder.startswith(f"{RAW}/")
        if not ours or self._object(manifest) is None:
            return None
        if folder not in self._sizes:
            entries = load_manifest(self.file(manifest))
            self._sizes[folder] = {f"{entry.key}.parquet": entry.bytes for entry in entries}
        return self._sizes[folder].get(name)

    def _describe(self, path: str) -> str:
        return f"{DATA}/{path} of revision {self.name}"

    @cached_property
    def _listings(self) -> dict[str, Mapping[str, str]]:
        return {}

    @cached_property
    def _sizes(self) -> dict[str, Mapping[str, int]]:
        return {}

    @cached_property
    def _checked(self) -> set[str]:
        return set()


def _check_readable(manifest: Path, what: str) -> None:
    """Stop at a manifest whose bytes are as they were made, but in a form of another time."""
    document = parse_json(manifest.read_bytes())
    if "parts" in document:
        try:
            load_manifest(manifest)
        except PipelineError:
            raise PipelineError(
                f"{what} is in form {document.get('schema')}, which this version does not read: "
                f"check that revision out beside this project (`git worktree add`) and ask there"
            ) from None


def decoded(data: bytes, what: str) -> str:
    """UTF-8 as text; PipelineError where it is none."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        why = f"{what} is not UTF-8, as its byte {error.start} shows: save it as that"
        raise PipelineError(why) from None


@contextmanager
def as_dvc_writes(where: str) -> Iterator[None]:
    """Turn what reading raises over YAML of another form into a PipelineError that names it."""
    try:
        yield
    except WRONG as error:
        raise PipelineError(
            f"{where} is not of the form that DVC writes ({error}): ask for another revision"
        ) from None


def lock_outs(lock: bytes, where: str) -> dict[str, DvcObject]:
    """What a dvc.lock tracks below `data/`: path relative to it → its object.

    Values are made of its outs alone, for most of its length is dependencies and parameters.
    """
    with yaml_loader(lock, where) as loader:
        objects: dict[str, DvcObject] = {}
        for name, stages in _items(loader.get_single_node()):
            for _, stage in _items(stages) if name == "stages" else ():
                for key, outs in _items(stage):
                    if key == "outs":
                        objects |= dict(
                            _below_data(loader.construct_document(outs) or (), PurePosixPath())
                        )
        return objects


def tracked_outs(text: bytes, folder: PurePath, where: str) -> dict[str, DvcObject]:
    """The same of a .dvc file that lies in `folder`, which is relative to the project."""
    with yaml_loader(text, where) as loader:
        document = loader.get_single_data() or {}
    return dict(_below_data(document.get("outs") or (), PurePosixPath(folder)))


def _items(node: Any) -> list[tuple[str, Any]]:
    """The keys and values of a mapping's node."""
    import yaml

    if not isinstance(node, yaml.MappingNode):
        return []
    return [(key.value, value) for key, value in node.value]


def _below_data(
    outs: Iterable[Mapping[str, Any]], folder: PurePosixPath
) -> Iterator[tuple[str, DvcObject]]:
    for out in outs:
        path = folder / out["path"]
        if path.parts[:1] == (DATA,) and "md5" in out:
            is_folder = out["md5"].endswith(DIRECTORY)
            yield (
                path.relative_to(DATA).as_posix(),
                DvcObject(out["md5"], None if is_folder else out.get("size")),
            )
