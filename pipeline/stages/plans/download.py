"""download@source: files that tables name by URL → data/raw/<source>/.downloads and urls.csv.

It runs at every `dvc repro` and asks for what it does not have: a URL whose bytes are here is not
asked again. What came first is what stands for a URL: bytes that are others by now are refused.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from pipeline.core.errors import Rejected
from pipeline.core.files.atomic import half
from pipeline.core.files.digest_cache import open_digest_cache
from pipeline.core.files.lock import locked
from pipeline.core.folders import DATA, RAW
from pipeline.core.terminal import say
from pipeline.params import Params
from pipeline.parts.summary import Summary
from pipeline.raw.downloads import CONTENTS, RECORD, Download, Downloads, is_url, write
from pipeline.raw.folders import batches
from pipeline.raw.request import may_come, request
from pipeline.raw.roots import Raw
from pipeline.sources import source_of

# What a killed run fetched in this time is fetched again, and progress is told.
SAVE_SECONDS = 30.0
GONE = ("gone", "its bytes are not here")
CHANGED = (
    "its bytes are not those that came first, whose digest stands in urls.csv; take its line out "
    "to have the new ones"
)


@dataclass(frozen=True)
class DownloadPlan:
    """All that the tables of one source name by URL, below the raw root."""

    params: Params
    source: str
    raw: Raw

    # What tables name is compared with what is here, each time.
    key = ""

    @property
    def outs(self) -> list[Path]:
        return [self._kept.folder / RECORD, self._kept.folder / CONTENTS]

    @property
    def _kept(self) -> Downloads:
        return self.raw.downloads(self.source)

    @cached_property
    def known(self) -> dict[str, Download]:
        """What is known of each URL that a table names, by URL; no reason if its bytes are here."""
        section = self.params.sources[self.source]
        scan = source_of(section.kind).scan
        record = self._kept.record
        urls = {
            path
            for folder in batches(self.raw, self.source).values()
            for sample in scan(folder, section.options).samples
            for modality, path in sample.assets.items()
            if modality in self.params.modalities and isinstance(path, str) and is_url(path)
        }
        known = {url: record.get(url, Download(url)) for url in sorted(urls)}
        with open_digest_cache() as digests:
            for url, download in known.items():
                path = self._kept.path(download.sha256)
                if path.is_file() and digests.file(path) == download.sha256:
                    known[url] = Download(url, download.sha256)
                elif download.sha256 and not download.reason:
                    known[url] = replace(download, reason=GONE[0], message=GONE[1])
        return known

    @cached_property
    def asked(self) -> list[Download]:
        """Those that a network is asked for: new ones, and those that another time may bring."""
        return [
            known
            for known in self.known.values()
            if (may_come(known.reason) if known.reason else not known.sha256)
        ]

    def run(self) -> Summary:
        """Fetch what is asked for, twice where another time may go better.

        What is refused counts for `ingest`, which holds it to its limit; nothing that is here is
        lost by it.

        Raises
        ------
        PipelineError
            The source has no batch, or another process fetches.
        OSError
            This machine's disk is full, or it has no more files or memory.
        """
        record, contents = self.outs
        with locked(self._kept.folder):
            contents.mkdir(parents=True, exist_ok=True)
            asked = self.asked
            for _ in range(2 if asked else 0):
                self._fetch(asked)
                asked = [self.known[known.url] for known in asked]
                asked = [known for known in asked if known.reason and may_come(known.reason)]
            if set(self._kept.record.values()) != set(self.known.values()) or not record.is_file():
                write(record, self.known.values())
            left_over = list(self._left_over())
            for path in left_over:
                path.unlink()
        reasons = Counter(known.reason for known in self.known.values() if known.reason)
        return Summary(
            rows=len(self.known) - reasons.total(),
            rejected=reasons.total(),
            reasons=dict(reasons),
            planned=1,
            computed=int(bool(self.asked)),
            reused=int(not self.asked),
            removed=len(left_over),
        )

    def _fetch(self, asked: list[Download]) -> None:
        """Bring `known` up to date, and write it down from time to time."""
        saved, options = time.monotonic(), self.params.download[self.source]
        with ThreadPoolExecutor(options.at_once) as pool:
            calls = [pool.submit(self._fetched, download) for download in asked]
            try:
                for count, call in enumerate(as_completed(calls), 1):
                    download = call.result()
                    self.known[download.url] = download
                    if time.monotonic() - saved > SAVE_SECONDS:
                        self._save()
                        say(f"{count:,} of {len(asked):,} URLs of {self.source}", error=True)
                        saved = time.monotonic()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                self._save()
                raise

    def _save(self) -> None:
        done = (known for known in self.known.values() if known.sha256 or known.reason)
        write(self._kept.folder / RECORD, done)

    def _fetched(self, download: Download) -> Download:
        """What is known of a URL after it was asked for; its bytes lie where they belong."""
        options, digest = self.params.download[self.source], hashlib.sha256()
        temporary = half(self._kept.folder / CONTENTS / "download")
        try:
            with temporary.open("wb") as file, closing(request(download.url, options)) as pieces:
                for piece in pieces:
                    digest.update(piece)
                    file.write(piece)
            if download.sha256 not in ("", digest.hexdigest()):
                raise Rejected("changed_content", CHANGED)
            path = self._kept.path(digest.hexdigest())
            path.parent.mkdir(exist_ok=True)
            temporary.replace(path)
            return Download(download.url, digest.hexdigest())
        except Rejected as reject:
            return replace(download, reason=reject.reason, message=reject.message)
        finally:
            temporary.unlink(missing_ok=True)

    def _left_over(self) -> Iterator[Path]:
        """Files whose digest stands for no URL any more."""
        kept = {known.sha256 for known in self.known.values()}
        for path in (self._kept.folder / CONTENTS).glob("*/*"):
            if path.name not in kept:
                yield path


def plan(params: Params, source: str, root: Path = Path(DATA)) -> DownloadPlan:
    """<root>/raw/<source>/.downloads of what the source's tables name by URL."""
    return DownloadPlan(params, source, Raw(root / RAW, params.roots, params.download))
