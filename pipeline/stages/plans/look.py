"""look@source: what lies at a root that DVC does not see → data/raw/<source>/looked.sha256.

It runs at every `dvc repro`. Its output is the digest and path of every file, as `sha256sum` lists
them, so that ingest, which depends on data/raw, runs when a byte there changed and not otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline.core.files.atomic import atomic_write
from pipeline.core.files.digest_cache import DigestCache, open_digest_cache
from pipeline.core.files.documents import holds
from pipeline.core.files.lock import locked
from pipeline.core.folders import DATA, RAW
from pipeline.params import Params
from pipeline.parts.plan import Summary
from pipeline.raw.folders import batches
from pipeline.raw.roots import Raw


@dataclass(frozen=True)
class LookPlan:
    """The digests of everything that lies at the root of `source`."""

    raw: Raw
    source: str

    # It is what looks.
    key = ""

    @property
    def outs(self) -> list[Path]:
        return [self.raw.folder / self.source / "looked.sha256"]

    def run(self) -> Summary:
        """Bring the file to what lies there.

        Files that may not be opened are listed with their reason in place of a digest.

        Raises
        ------
        PipelineError
            The root holds no batch, or it or a file cannot be read; or another process looks.
        """
        (out,) = self.outs
        with locked(out):
            changed, rows = self.changed, self.text.count("\n")
            if changed:
                out.parent.mkdir(parents=True, exist_ok=True)
                with atomic_write(out) as temporary:
                    temporary.write_text(self.text, encoding="utf-8")
        return Summary(rows=rows, planned=1, computed=int(changed), reused=int(not changed))

    @cached_property
    def text(self) -> str:
        """What the file is to hold; files of the root that changed are read."""
        with open_digest_cache() as digests:
            return "".join(f"{line}\n" for line in _lines(self.raw, self.source, digests))

    @cached_property
    def changed(self) -> bool:
        """Whether the file holds anything else."""
        (out,) = self.outs
        return not holds(out, self.text)


def plan(params: Params, source: str, root: Path = Path(DATA)) -> LookPlan:
    """<root>/raw/<source>/looked.sha256 of what lies at the source's root."""
    return LookPlan(Raw(root / RAW, params.roots), source)


def _lines(raw: Raw, source: str, digests: DigestCache) -> Iterator[str]:
    for name, folder in batches(raw, source).items():
        listing = folder.listing
        facts = folder.facts(listing.files, digests)
        results = {path: digest for path, (digest, _) in facts.items()}
        results |= {path: reason for path, (reason, _) in listing.refused.items()}
        for path in sorted(results):
            yield f"{results[path]}  {raw.locator(source, name, path)}"
