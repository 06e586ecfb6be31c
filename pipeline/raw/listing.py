"""What lies in a batch's folder, found without opening anything."""

from __future__ import annotations

import functools
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pyarrow.fs import FileInfo, FileType

from pipeline.core.errors import PipelineError
from pipeline.core.files.dvc_cache import cache_folder, dvc_folder
from pipeline.raw.near_names import NearNames

NOT_A_FILE = "not a regular file, such as a named pipe or a link to a folder"
LINKED = "is a link, and neither ingest nor DVC sees what changes behind it"
# What DVC and git look for by name, and read as their own wherever it lies in a project.
THEIRS = {".dvc", ".dvcignore", ".git", ".hg", "dvc.lock", "dvc.yaml"}


@dataclass(frozen=True)
class Listing:
    """Entries of a folder by path relative to it, with forward slashes.

    `files` maps each file that may be opened to its size in bytes; `refused` maps every other
    entry but folders to (reason, message).
    """

    files: dict[str, int]
    refused: dict[str, tuple[str, str]]


def listing(folder: Path) -> Listing:
    """Walk a folder.

    A link counts as the file that it leads to, if that lies in the same folder or in the project's
    DVC cache, to which DVC links its files where `cache.type` is symlink. Links that leave them,
    links to folders, named pipes, sockets, devices and names that are not UTF-8 are refused:
    opening a pipe blocks for ever, and a link can lead to anything on the machine.

    Raises
    ------
    PipelineError
        The folder, or one below it, cannot be listed, or DVC's configuration cannot be read.
    """
    root = folder.resolve()
    cache = functools.cache(_dvc_cache)  # asked where a link leaves the folder
    files: dict[str, int] = {}
    refused: dict[str, tuple[str, str]] = {}
    for name, entry in _walk(root, ""):
        shown = name.encode(errors="surrogateescape").decode(errors="backslashreplace")
        problem = _problem(entry, root, cache)
        if shown != name:
            refused[shown] = ("bad_name", "the name of the file is not UTF-8")
        elif problem is not None:
            refused[name] = problem
        else:
            files[name] = entry.stat().st_size
    return Listing(dict(sorted(files.items())), dict(sorted(refused.items())))


def unfit(folder: Path, lying: Listing) -> dict[str, str]:
    """Path → message of what no batch may hold, because DVC goes through it before ingest does.

    DVC puts a file's bytes in the place of a link to it, waits for ever for a named pipe, passes
    over links to folders, and runs the stages of a dvc.yaml that lies there.
    """
    messages = {path: message for path, (_, message) in lying.refused.items()}
    for path in lying.files:
        parts = path.split("/")
        for depth, name in enumerate(parts, 1):
            if name in THEIRS or name.endswith(".dvc"):
                messages["/".join(parts[:depth])] = "DVC or git would take it for its own"
                break
        else:
            if not os.access(folder / path, os.R_OK):
                messages[path] = "it cannot be read"
    return dict(sorted(messages.items()))


def listing_from_infos(infos: Mapping[str, FileInfo]) -> Listing:
    """A listing of what a file system of pyarrow's told, by path relative to the folder.

    Such systems have no links, or follow them unseen; names that lead elsewhere are refused, as
    object stores let any text be a name.
    """
    files: dict[str, int] = {}
    refused: dict[str, tuple[str, str]] = {}
    for name, info in sorted(infos.items()):
        if info.type == FileType.Directory:
            continue
        if not {"", ".", ".."}.isdisjoint(name.split("/")):
            refused[name] = ("bad_name", "the name of the file has an empty part, or . or ..")
        elif info.type != FileType.File:
            refused[name] = ("not_a_file", NOT_A_FILE)
        else:
            files[name] = info.size
    return Listing(files, refused)


def absent(path: str, near: NearNames) -> tuple[str, str]:
    """(reason, message) for a path, relative to its batch, that is not in the batch's listing."""
    if path.startswith("/") or ".." in path.split("/"):
        message = f"the path {path} leads out of the batch's folder{near.hint(path)}"
        return "outside_folder", message
    return "missing_file", f"there is no file {path}{near.hint(path)}"


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    try:
        with os.scandir(folder) as scanned:
            entries = list(scanned)
    except OSError as error:
        raise PipelineError(f"cannot list {folder}: {error.strerror}") from None
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, entry


def _dvc_cache() -> Path | None:
    """Where DVC keeps the files of this project, if it does."""
    dvc = dvc_folder(Path())
    return cache_folder(dvc).resolve() if dvc else None


def _problem(
    entry: os.DirEntry[str], root: Path, cache: Callable[[], Path | None]
) -> tuple[str, str] | None:
    """Why an entry that is no folder may not be opened, or None. `stat` opens nothing."""
    if entry.is_symlink():
        try:
            target = Path(entry.path).resolve(strict=True)
        except (OSError, RuntimeError):  # dangling, or a loop of links
            return "missing_file", "the link leads nowhere"
        if not target.is_relative_to(root) and not target.is_relative_to(cache() or root):
            return "outside_folder", "the link leads out of the batch's folder"
    if not stat.S_ISREG(entry.stat().st_mode):
        return "not_a_file", NOT_A_FILE
    return None
