"""A batch's folder as sources and ingest see it: its files, by name, and what stands in them."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pyarrow.fs import FileInfo, FileSelector, FileType

from pipeline.core.batches import in_order
from pipeline.core.errors import PipelineError, Rejected
from pipeline.core.files.digest import digest_bytes
from pipeline.core.files.digest_cache import DigestCache
from pipeline.parts.fingerprint import fingerprint
from pipeline.raw.listing import LINKED, Listing, listing, listing_from_infos
from pipeline.raw.media_types import HEAD_BYTES, by_content, modules
from pipeline.raw.roots import Raw, as_pipeline_error, open_filesystem, read, uri_without_query

# Files of another machine that are read at once: what takes time is waiting for the first byte.
AT_ONCE = 16
# Clocks of two machines differ; what was written just now by the other's is not remembered.
SETTLED_NS = 60_000_000_000
# Of a file that a source reads whole into memory; tables have further limits (rows.py).
SMALL = 256 << 20

Facts = dict[str, tuple[str, str]]  # path → (digest, media type)


class Folder(Protocol):
    """What a source is given of a batch. Paths are relative to it, with forward slashes."""

    @property
    def listing(self) -> Listing:
        """What lies there."""

    def read(self, path: str) -> bytes:
        """The bytes of a small file, such as a table.

        Raises
        ------
        Rejected
            `too_large`: it has more than SMALL bytes.
        PipelineError
            The bytes cannot be had.
        """

    def facts(self, paths: Iterable[str], digests: DigestCache) -> Facts:
        """Digest and media type of files; PipelineError if one cannot be read."""


@dataclass(frozen=True)
class LocalFolder:
    """A folder of this machine."""

    path: Path
    listing: Listing = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "listing", listing(self.path))

    def read(self, path: str) -> bytes:
        _check_small(path, self.listing)
        with as_pipeline_error(str(self.path / path)):
            return (self.path / path).read_bytes()

    def facts(self, paths: Iterable[str], digests: DigestCache) -> Facts:
        facts = {}
        for path in paths:
            at = self.path / path
            with as_pipeline_error(str(at)), at.open("rb") as file:
                facts[path] = digests.file(at), by_content(file.read(HEAD_BYTES), path)
        return facts


@dataclass(frozen=True)
class RemoteFolder:
    """A folder below a root that pyarrow opens."""

    root: str
    name: str
    listing: Listing = field(init=False, compare=False)
    _modified: dict[str, int | None] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        infos = _below(self.root, self.name, recursive=True)
        object.__setattr__(self, "listing", listing_from_infos(infos))
        times = {path: info.mtime_ns for path, info in infos.items()}
        object.__setattr__(self, "_modified", times)

    def read(self, path: str) -> bytes:
        _check_small(path, self.listing)
        return self._read(path)

    def _read(self, path: str) -> bytes:
        with as_pipeline_error(f"{uri_without_query(self.root)}/{self.name}/{path}"):
            return read(self.root, f"{self.name}/{path}")

    def facts(self, paths: Iterable[str], digests: DigestCache) -> Facts:
        """Remembered by size and time; where the file system keeps no time, read each time."""

        def look(path: str) -> tuple[str, str]:
            def find() -> str:
                data = self._read(path)
                return f"{digest_bytes(data)} {by_content(data[:HEAD_BYTES], path)}"

            modified = self._modified[path]
            if modified is None:
                digest_and_type = find()
            else:
                name = f"{self.root} {self.name}/{path} {_media_type_code()}".encode()
                stamp = (self.listing.files[path], modified, 0, 0)
                digest_and_type = digests.get_or_compute(name, stamp, find, SETTLED_NS)
            digest, media_type = digest_and_type.split(" ")
            return digest, media_type

        asked = list(paths)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return dict(zip(asked, pool.map(look, asked), strict=True))


def _check_small(path: str, lying: Listing) -> None:
    if lying.files.get(path, 0) > SMALL:
        mib = SMALL >> 20
        message = f"{path} has more than {mib} MiB: split it, with its files, into several batches"
        raise Rejected("too_large", message)


def batches(raw: Raw, source: str, needed: bool = True) -> dict[str, Folder]:
    """The batches of a source, `in_order`; hidden folders, and files beside them, are none.

    Raises
    ------
    PipelineError
        There is none where one is needed, the root cannot be read, or below the raw root one is a
        link.
    """
    root = raw.roots.get(source)
    system, base = open_filesystem(root) if root else (None, str(raw.folder / source))
    names: Iterable[str]
    if system is None:
        folder = Path(base)
        names = [path.name for path in sorted(folder.glob("*")) if path.is_dir()]
        for path in (folder, *(folder / name for name in names)) if root is None else ():
            if path.is_symlink():
                raise PipelineError(f"{path} {LINKED}: bring the data in with `pipeline add`")
    else:
        infos = _below(str(root), "", recursive=False)
        names = [name for name, info in infos.items() if _is_folder(info)]
    batch_names = sorted((name for name in names if not name.startswith(".")), key=in_order)
    if needed and not batch_names:
        place = uri_without_query(root) if root else base
        raise PipelineError(
            f"the source '{source}' has no batch: put one at {place}/<batch>/"
            + ("." if root else ", or run its fetch stage.")
            + " The names of sources stand under `sources` in params.yaml."
        )
    if system is None:
        return {name: LocalFolder(Path(base, name)) for name in batch_names}
    return {name: RemoteFolder(str(root), name) for name in batch_names}


def _below(root: str, folder: str, recursive: bool) -> dict[str, FileInfo]:
    """What lies in a folder of a root, by path relative to that folder."""
    system, base = open_filesystem(root)
    assert system is not None
    at = f"{base}/{folder}".rstrip("/")
    with as_pipeline_error(f"{uri_without_query(root)}/{folder}"):
        infos = system.get_file_info(FileSelector(at, recursive=recursive))
    return {info.path.removeprefix(f"{at}/"): info for info in infos}


def _is_folder(info: FileInfo) -> bool:
    return bool(info.type == FileType.Directory)


@functools.cache
def _media_type_code() -> str:
    """The code that tells media types: what it said is forgotten when it changes."""
    return fingerprint("media type", modules(), {}).digest
