"""What lies in an inbox, which of it is whole, and its files brought here.

A landing is a folder directly below the inbox, of this machine or of any file system of pyarrow's.
Nothing is ever written to an inbox: what was taken is known by the ledger.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath

from pyarrow.fs import FileSelector, FileType

from pipeline.core.batches import in_order
from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_bytes, digest_file, digest_json
from pipeline.nightly.options import Inbox
from pipeline.raw.listing import THEIRS, Listing, listing, listing_from_infos, unfit
from pipeline.raw.roots import as_pipeline_error, open_filesystem, read, uri_without_query

# Of a manifest; one for a million files takes a tenth.
MANIFEST_BYTES = 1 << 30
SHOWN = 5


class Damaged(PipelineError):
    """A file is not what the manifest beside it says."""


@dataclass(frozen=True)
class Landing:
    """A folder of an inbox.

    Attributes
    ----------
    stamp:
        Digest of the names, sizes and times of its files: another one once something changed.
    files:
        Path → bytes of what a batch would hold, without marker and manifest.
    waits:
        Why it is left for another night; empty if it is whole.
    unfit:
        Path → what no batch may hold.
    digests:
        Path → SHA-256 that its manifest says.
    """

    source: str
    name: str
    root: str
    stamp: str
    files: Mapping[str, int] = field(repr=False)
    waits: str = ""
    unfit: Mapping[str, str] = field(default_factory=dict, repr=False)
    digests: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def bytes(self) -> int:
        return sum(self.files.values())


@dataclass(frozen=True)
class _Folder:
    """As much of a landing as its file system tells: times are nanoseconds since 1970."""

    listing: Listing
    times: Mapping[str, int | None]
    unfit: Mapping[str, str]


def landings(source: str, inbox: Inbox, now: datetime, only: str = "") -> list[Landing]:
    """Every folder of a source's inbox, in the order of their names; none if it is not there.

    Parameters
    ----------
    only:
        The name of the one that is asked about; empty for all.

    Raises
    ------
    PipelineError
        The inbox cannot be read.
    """
    return [
        _landing(source, name, inbox, _look(inbox.root, name), now)
        for name in _names(inbox.root)
        if only in ("", name)
    ]


def bring(landing: Landing, folder: Path) -> str:
    """Put the files of a landing into a new folder; returns the digest of what stands in them.

    The digest is one of paths and contents, so that the same files delivered twice have the same
    under whatever name. Where this machine can, files are linked and take no room.

    Raises
    ------
    Damaged
        A file is not what the manifest says.
    PipelineError
        A file is gone, or is no longer as it was listed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder.parent / ".dvcignore").write_text("*\n")
    digests = {}
    for path, size in landing.files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        where = f"{uri_without_query(landing.root)}/{landing.name}/{path}"
        with as_pipeline_error(where):
            _bring_file(landing, path, place)
        digests[path] = digest_file(place)
        if place.stat().st_size != size:
            raise PipelineError(f"{where} changed since it was listed")
        if digests[path] != landing.digests.get(path, digests[path]):
            raise Damaged(f"{path} is not what the manifest says: it came damaged")
    return digest_json(sorted(digests.items()))


def _names(root: str) -> list[str]:
    local, base = _opened(root)
    if local is not None:
        names = [path.name for path in local.glob("[!._]*") if path.is_dir()]
    else:
        system, base = open_filesystem(root)
        assert system is not None
        with as_pipeline_error(uri_without_query(root)):
            infos = system.get_file_info(FileSelector(base, allow_not_found=True))
        names = [info.base_name for info in infos if info.type == FileType.Directory]
        names = [name for name in names if not name.startswith((".", "_"))]
    return sorted(names, key=in_order)


def _opened(root: str) -> tuple[Path | None, str]:
    """An inbox of this machine as a folder, or none, and where it lies on its file system."""
    if "://" not in root:
        return Path(root).expanduser(), root
    system, base = open_filesystem(root)
    return (Path(base) if system is None else None), base


def _look(root: str, name: str) -> _Folder:
    local, base = _opened(root)
    if local is not None:
        folder = local / name
        listed = listing(folder)
        # What goes between the two calls makes the listing another at the next look.
        times = {path: _time(folder / path) for path in listed.files}
        return _Folder(listed, times, unfit(folder, listed))
    system, _ = open_filesystem(root)
    assert system is not None
    at = f"{base}/{name}"
    with as_pipeline_error(f"{uri_without_query(root)}/{name}"):
        infos = {
            info.path.removeprefix(f"{at}/"): info
            for info in system.get_file_info(FileSelector(at, recursive=True))
        }
    listed = listing_from_infos(infos)
    problems = {path: message for path, (_, message) in listed.refused.items()}
    problems |= {
        path: "DVC or git would take it for its own"
        for path in listed.files
        if any(part in THEIRS or part.endswith(".dvc") for part in path.split("/"))
    }
    return _Folder(listed, {path: infos[path].mtime_ns for path in listed.files}, problems)


def _time(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def _landing(source: str, name: str, inbox: Inbox, folder: _Folder, now: datetime) -> Landing:
    beside = inbox.file_name
    files = {path: size for path, size in folder.listing.files.items() if path != beside}
    stamp = digest_json([[path, size, folder.times[path]] for path, size in files.items()])
    digests: dict[str, str] = {}
    waits = ""
    if inbox.ready == "age":
        waits = _too_young([folder.times[path] for path in files], inbox.minutes, now)
    elif beside not in folder.listing.files:
        waits = f"there is no {beside} yet"
    elif inbox.ready == "manifest":
        try:
            digests = _manifest(inbox, name, folder.listing.files[beside])
            waits = _differs(digests.keys(), files.keys(), beside)
        except PipelineError as error:  # one bad manifest leaves the other landings alone
            waits = str(error)
    if not files and not waits:
        waits = "there is no file in it"
    return Landing(source, name, inbox.root, stamp, files, waits, folder.unfit, digests)


def _too_young(times: Iterable[int | None], minutes: float, now: datetime) -> str:
    known = [time for time in times if time is not None]
    if not known:
        return "its file system keeps no times: say when it is whole by marker or manifest"
    latest = datetime.fromtimestamp(max(known) / 1e9, now.tzinfo)
    if latest > now:
        return "a file is from the future: this machine's clock or its writer's is wrong"
    if now - latest < timedelta(minutes=minutes):
        return f"a file was written in the last {minutes:g} minutes"
    return ""


def _manifest(inbox: Inbox, name: str, size: int) -> dict[str, str]:
    """Path → SHA-256, from lines such as sha256sum writes."""
    where = f"{uri_without_query(inbox.root)}/{name}/{inbox.file_name}"
    if size > MANIFEST_BYTES:
        raise PipelineError(f"{where} has {size:,} bytes: a manifest has a line for each file")
    local, _ = _opened(inbox.root)
    path = f"{name}/{inbox.file_name}"
    with as_pipeline_error(where):
        data = (local / path).read_bytes() if local is not None else read(inbox.root, path)
        lines = data.decode().splitlines()
    digests = {}
    for number, line in enumerate(filter(None, lines), 1):
        digest, _, path = line.partition(" ")
        path = PurePosixPath(path.removeprefix(" ").removeprefix("*")).as_posix()
        if len(digest) != len(digest_bytes(b"")) or not path:
            raise PipelineError(f"{where}, line {number}: write `<SHA-256>  <path>`")
        digests[path] = digest.lower()
    return digests


def _differs(listed: Iterable[str], present: Iterable[str], manifest: str) -> str:
    absent, more = sorted({*listed} - {*present}), sorted({*present} - {*listed})
    parts = []
    if absent:
        parts.append(f"{len(absent)} of {manifest} are not there yet: {', '.join(absent[:SHOWN])}")
    if more:
        parts.append(f"{len(more)} are not in {manifest}: {', '.join(more[:SHOWN])}")
    return "; ".join(parts)


def _bring_file(landing: Landing, path: str, place: Path) -> None:
    local, base = _opened(landing.root)
    if local is not None:
        source = local / landing.name / path
        try:
            os.link(source.resolve() if source.is_symlink() else source, place)
        except OSError:  # on another file system
            shutil.copyfile(source, place)
        return
    system, _ = open_filesystem(landing.root)
    assert system is not None
    # Without compression=None, what ends in .gz would come unpacked.
    at = f"{base}/{landing.name}/{path}"
    with system.open_input_stream(at, compression=None) as stream, place.open("wb") as file:
        shutil.copyfileobj(stream, file)
