"""Kinds of origin, one a file: `SourceKind` is what a file has.

One that can fetch itself is a `Fetchable` too.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.core import registry

if TYPE_CHECKING:
    from pipeline.core.records import Scan
    from pipeline.raw.folders import Folder

FOLDER = "sources"


class SourceKind(Protocol):
    """A kind of source.

    Attributes
    ----------
    Options:
        A `pipeline.core.options.Options`.
    """

    Options: Any

    def scan(self, folder: Folder, options: Any) -> Scan:
        """What samples one batch holds; it reads names and tables, and opens no asset.

        Wherever the batch lies, `folder.listing.files` maps paths to sizes, and
        `folder.read(path)` gives a small file's bytes, or refuses a large one.
        """


class Fetchable(SourceKind, Protocol):
    """A kind of source that can fetch itself.

    Attributes
    ----------
    FetchOptions:
        A `pipeline.core.options.Options` with a `version`, which names the batch.
    """

    FetchOptions: Any

    def fetch(self, folder: Path, options: Any) -> bool:
        """Put a whole batch at <folder>/<version>, or nothing; PipelineError if none can be had.

        False where the batch stands there already.
        """


def source_of(kind: str) -> SourceKind:
    """The kind of source of that name."""
    return registry.load(FOLDER, kind, SourceKind)


def fetchable(kind: str) -> Fetchable:
    """The same of one that can fetch itself; PipelineError if it cannot."""
    return registry.load(FOLDER, kind, Fetchable)
