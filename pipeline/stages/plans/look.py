"""look@source: what lies at a root that DVC does not see → data/raw/<source>/looked.sha256.

It runs at every `dvc repro`. Its output is the digest and path of every file, as `sha256sum` lists
them, so that ingest, which depends on data/raw, runs when a byte there changed and not otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from pipeline.core.files.digest_cache import DigestCache, open_digest_cache
from pipeline.core.folders import DATA, RAW
from pipeline.params import Params
from pipeline.parts.summary import Summary
from pipeline.parts.text_file import TextFilePlan
from pipeline.raw.folders import batches
from pipeline.raw.roots import Raw


class LookPlan(TextFilePlan):
    """The digests of everything that lies at the root of a source."""

    reason = "what lies at the root changed"

    def run(self) -> Summary:
        """As of any text; rows are the files."""
        return replace(super().run(), rows=self.text.count("\n"))


def plan(params: Params, source: str, root: Path = Path(DATA)) -> LookPlan:
    """<root>/raw/<source>/looked.sha256 of what lies at the source's root.

    Files that may not be opened are listed with their reason in place of a digest.

    Raises
    ------
    PipelineError
        As it runs: the root holds no batch, or it or a file cannot be read; or another process
        looks.
    """
    raw = Raw(root / RAW, params.roots)
    return LookPlan(raw.folder / source / "looked.sha256", partial(_listing, raw, source))


def _listing(raw: Raw, source: str) -> str:
    """A line for each file; those that changed are read."""
    with open_digest_cache() as digests:
        return "".join(f"{line}\n" for line in _lines(raw, source, digests))


def _lines(raw: Raw, source: str, digests: DigestCache) -> Iterator[str]:
    for name, folder in batches(raw, source).items():
        listing = folder.listing
        facts = folder.facts(listing.files, digests)
        results = {path: digest for path, (digest, _) in facts.items()}
        results |= {path: reason for path, (reason, _) in listing.refused.items()}
        for path in sorted(results):
            yield f"{results[path]}  {raw.locator(source, name, path)}"
