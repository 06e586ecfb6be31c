"""Files that tables name by URL: which bytes stand for each, and where these lie.

<raw root>/<source>/urls.csv, which git keeps, has a line for each URL that a batch of the source
names: the SHA-256 that its bytes had when they were first fetched, or why there are none. The bytes
lie in <raw root>/<source>/.downloads, which DVC keeps. The stage `download` writes both; all others
read them, and no network.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields
from functools import cached_property
from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.core.files.atomic import atomic_write
from pipeline.raw.media_types import HEAD_BYTES, by_content, by_name

URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
HTTP = re.compile("https?://", re.IGNORECASE)  # of S3, ? and # are letters of a key
SHA256 = re.compile(r"[0-9a-f]{64}|")
RECORD, CONTENTS = "urls.csv", ".downloads"


@dataclass(frozen=True)
class Download:
    """What is known of a URL.

    `sha256` is empty if it was never fetched; `reason` and `message` say why its bytes are not to
    be had, and are empty if they are.
    """

    url: str
    sha256: str = ""
    reason: str = ""
    message: str = ""


COLUMNS = [field.name for field in fields(Download)]


def is_url(path: str) -> bool:
    """Whether what a table names is no path in the batch."""
    return URL.match(path) is not None


def file_name(path: str) -> str:
    """A path, or a URL without its query: what an ending is looked for in."""
    return re.split(r"[?#]", path, maxsplit=1)[0] if HTTP.match(path) else path


@dataclass(frozen=True)
class Downloads:
    """The URLs of one source.

    Parameters
    ----------
    folder:
        The source's folder below the raw root.
    wanted:
        Whether params have the stage `download` for it; else nothing that lies there counts.
    expected:
        Take URLs that were never asked for as if they would come, with 0 bytes.
    """

    folder: Path
    wanted: bool
    expected: bool = False

    @cached_property
    def record(self) -> Mapping[str, Download]:
        """URL → what is known of it; PipelineError if the file is damaged."""
        return read(self.folder / RECORD) if self.wanted else {}

    def files(self, urls: Iterable[str]) -> dict[str, int]:
        """URL → size in bytes, of those whose bytes are here."""
        sizes = {}
        for url in urls:
            known = self.record.get(url)
            if known and not known.reason and self.path(known.sha256).is_file():
                sizes[url] = self.path(known.sha256).stat().st_size
            elif self._is_expected(url):
                sizes[url] = 0
        return sizes

    def facts(self, urls: Iterable[str]) -> dict[str, tuple[str, str]]:
        """(digest, media type) of each of `files`; one that is expected is called by its URL."""
        facts = {}
        for url in urls:
            if self._is_expected(url):
                facts[url] = url, by_name(file_name(url))
                continue
            sha256 = self.record[url].sha256
            with self.path(sha256).open("rb") as file:
                facts[url] = sha256, by_content(file.read(HEAD_BYTES), file_name(url))
        return facts

    def problem(self, url: str) -> tuple[str, str]:
        """(reason, message) of a URL that is not one of `files`."""
        known = self.record.get(url)
        if known and known.reason:
            return known.reason, known.message
        source = self.folder.name
        if self.wanted:
            return "not_fetched", f"`dvc repro download@{source}` fetches {url}, or `dvc pull`"
        return (
            "not_fetched",
            f"{url} is no file of the batch, and nothing is fetched from a network unless "
            f"params.yaml says `download: {{{source}: {{}}}}`",
        )

    def path(self, sha256: str) -> Path:
        """Where the bytes of a digest lie, if they are here."""
        return path_of(self.folder, sha256)

    def _is_expected(self, url: str) -> bool:
        return self.expected and self.wanted and url not in self.record


def path_of(folder: Path, sha256: str) -> Path:
    """The file below a source's folder that holds the bytes of a digest that was fetched."""
    return folder / CONTENTS / sha256[:2] / sha256


def read(path: Path) -> dict[str, Download]:
    """The file of what is known of URLs, which people may edit; empty if it is not there.

    Raises
    ------
    PipelineError
        A line of it is not one that `write` writes.
    """
    if not path.is_file():
        return {}
    downloads: dict[str, Download] = {}
    try:
        lines = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")), strict=True)
        for line in lines:
            download = Download(**line)
            if not SHA256.fullmatch(download.sha256) or not (download.sha256 or download.reason):
                raise ValueError
            downloads[download.url] = download
    except (ValueError, TypeError, csv.Error):
        raise PipelineError(
            f"{path}, line {lines.line_num}: give {', '.join(COLUMNS)}, or take the line out, and "
            f"its URL is fetched anew"
        ) from None
    return downloads


def write(path: Path, downloads: Iterable[Download]) -> None:
    """One line a URL, sorted."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(COLUMNS)
    lines.writerows(sorted(map(astuple, downloads)))
    with atomic_write(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
