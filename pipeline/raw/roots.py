"""Where raw batches lie, and how the bytes of one of their files are had again.

The batches of a source are the folders of <raw root>/<source>/, or those of a root of its own: any
URI that pyarrow opens, such as s3://bucket/photos. Credentials come from the environment of the
machine that reads; nothing here writes. Files that tables name by URL lie where the stage
`download` put them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pyarrow import ArrowException
from pyarrow.fs import FileSystem

from pipeline.core import spans
from pipeline.core.errors import PipelineError
from pipeline.core.files.file_bytes import Bytes, FileBytes, digest_of
from pipeline.raw.downloads import Downloads, is_url, path_of

# How the bytes of a file of this machine are had: in memory, or where they lie.
Local = TypeVar("Local", bytes, FileBytes)


@dataclass(frozen=True)
class Raw:
    """Where everything lies.

    Parameters
    ----------
    folder:
        The raw root.
    roots:
        Sources that lie elsewhere → the URI of where.
    downloaded:
        Sources of which the files that tables name by URL are fetched.
    """

    folder: Path
    roots: Mapping[str, str]
    downloaded: Collection[str] = ()

    def locator(self, source: str, batch: str, path: str) -> str:
        """What tables call a file of a batch by: a path below the raw root, or a URI.

        The URI is the root's, without its query, and the path as it is, as `aws s3` writes them; or
        the URL by which a table names the file.
        """
        if is_url(path):
            return path
        root = self.roots.get(source)
        return f"{source if root is None else uri_without_query(root)}/{batch}/{path}"

    def downloads(self, source: str, expected: bool = False) -> Downloads:
        """The files of a source that its tables name by URL; see `Downloads`."""
        return Downloads(self.folder / source, source in self.downloaded, expected)

    def read(self, source: str, locator: str, digest: str) -> bytes:
        """The bytes that ingest saw at a locator; of a span, those of the file that it is cut from.

        Raises
        ------
        PipelineError
            The file is gone, is another one by now, or cannot be read.
        """
        return self._bytes(source, locator, digest, Path.read_bytes)

    def open(self, source: str, locator: str, digest: str) -> Bytes:
        """The same bytes, where they lie if that is on this machine; raises what `read` does."""
        return self._bytes(source, locator, digest, FileBytes)

    def _bytes(
        self, source: str, locator: str, digest: str, local: Callable[[Path], Local]
    ) -> bytes | Local:
        root = self.roots.get(source)
        locator, span = spans.split(locator, spans.PATH)
        again = "since ingest: run `dvc repro` again"
        with as_pipeline_error(locator):
            try:
                if root is not None and locator.startswith(f"{uri_without_query(root)}/"):
                    path = locator.removeprefix(f"{uri_without_query(root)}/")
                    data = _read(root, path, local)
                elif is_url(locator):
                    data = local(path_of(self.folder / source, digest))
                else:
                    data = local(self.folder / locator)
            except FileNotFoundError:
                raise PipelineError(f"there is no {locator}: it went {again}") from None
        if spans.digest(digest_of(data), span) != digest:
            raise PipelineError(f"{locator} changed {again}")
        return data


def uri_without_query(root: str) -> str:
    """A root's URI as tables and people see it: without its query, such as a host's address."""
    return root.partition("#")[0].partition("?")[0].rstrip("/")


def read(root: str, path: str) -> bytes:
    """The bytes of a file below a root; OSError, or an error of pyarrow, if they cannot be had."""
    return _read(root, path, Path.read_bytes)


def _read(root: str, path: str, local: Callable[[Path], Local]) -> bytes | Local:
    """The same, where `local` says how a file of this machine is read."""
    system, base = open_filesystem(root)
    if system is None:
        return local(Path(base, path))
    # Without compression=None, what ends in .gz would come unpacked.
    with system.open_input_stream(f"{base}/{path}", compression=None) as stream:
        data: bytes = stream.read()
    return data


@functools.cache
def open_filesystem(root: str) -> tuple[FileSystem | None, str]:
    """A root's file system, opened once a process, and its path there.

    None stands for this machine's own, which is read without pyarrow: that follows links to
    folders, round and round.
    """
    with as_pipeline_error(uri_without_query(root)):
        system, base = FileSystem.from_uri(root)
    return None if system.type_name == "local" else system, base.rstrip("/")


@contextmanager
def as_pipeline_error(what: str) -> Iterator[None]:
    """Turn a failure to read into a PipelineError that names what could not be read."""
    try:
        yield
    except (OSError, ArrowException, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        remedy = (
            " Look at the name and at whether this machine may read it: credentials come from its "
            "environment (for S3, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)."
            if "://" in what
            else ""
        )
        raise PipelineError(f"cannot read {what}: {why.rstrip('.')}.{remedy}") from None
