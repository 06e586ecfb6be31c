"""Raw batches → the tables of samples and assets."""

from __future__ import annotations

import json
import os
import stat
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.files.atomic import atomic_write, remove
from pipeline.core.files.digest import digest_json
from pipeline.core.files.digest_cache import open_digest_cache
from pipeline.core.files.lock import locked
from pipeline.core.folders import ASSETS, DATA, INGEST_COUNTS, RAW, SAMPLES
from pipeline.core.records import assets_schema, samples_schema
from pipeline.core.registry import load
from pipeline.params import Params
from pipeline.parts.fingerprint import fingerprint
from pipeline.parts.part import Row
from pipeline.parts.plan import PartsPlan, Summary, check_limit
from pipeline.parts.tables import record_row, reject_row, table
from pipeline.raw.catalogue import STAGE, Batch, catalogue, first_of_each
from pipeline.raw.roots import Raw

if TYPE_CHECKING:
    import pyarrow as pa

# A row's key is its content, so what found it need not be in the key: only what writes it down.
WRITERS = ("pipeline.parts.part", "pipeline.core.records")


@dataclass(frozen=True)
class IngestPlan:
    """The tables of samples and of assets, and the counts of what was found, below `root`."""

    params: Params
    root: Path

    @property
    def outs(self) -> list[Path]:
        return [self.root / name for name in (SAMPLES, ASSETS, INGEST_COUNTS)]

    @cached_property
    def key(self) -> str:
        """Digest of what is done, and of name, size, times and kind of all files in the raw root.

        Of a source with a root of its own, the file that `look` wrote stands there.
        """
        params = self.params
        sources = {name: (s.kind, s.options, s.root) for name, s in params.sources.items()}
        about = fingerprint(
            STAGE,
            [__name__, *(load("sources", kind).__name__ for kind, _, _ in sources.values())],
            {
                "sources": {
                    name: [kind, options.model_dump(mode="json"), root]
                    for name, (kind, options, root) in sources.items()
                },
                "modalities": list(params.modalities),
                "targets": dict(params.targets),
                "limit": params.ingest.reject_limit,
                "parts": params.parts.model_dump(mode="json"),
            },
        )
        return digest_json([about.digest, *_stamps(self.root / RAW, sorted(sources))])

    def run(self) -> Summary:
        """Bring the tables to what lies in the raw root.

        <root>/ingest.json says what was found, batch by batch: see
        `pipeline.raw.catalogue.Batch`. The refused, of whatever kind, stand in the parts of samples
        and count as rejected there.

        Raises
        ------
        PipelineError
            A source has no batch, a file cannot be read, or more of the rows or of the files than
            `ingest.reject_limit` were refused; the previous outputs then stand.
        """
        summary = self.samples.run()
        for assets in self.assets.values():
            assets.run()
        _remove_others(self.root / ASSETS, self.assets)
        counts: dict[str, dict[str, object]] = {name: {} for name in sorted(self.params.sources)}
        for batch in self.batches:
            counts[batch.source][batch.name] = batch.counts
        with atomic_write(self.root / INGEST_COUNTS) as temporary:
            temporary.write_text(json.dumps(counts, indent=1) + "\n")
        return summary

    @cached_property
    def batches(self) -> list[Batch]:
        """What lies in the raw root; files that changed are read."""
        params = self.params
        sources = {name: (source.kind, source.options) for name, source in params.sources.items()}
        raw = Raw(self.root / RAW, params.roots)
        with open_digest_cache() as digests:
            batches = list(catalogue(raw, sources, params.modalities, params.targets, digests))
        _check(batches, params.ingest.reject_limit)
        return batches

    @property
    def samples(self) -> PartsPlan:
        """<root>/samples"""
        modalities, targets = self.params.modalities, dict(sorted(self.params.targets.items()))
        parameters = {"modalities": sorted(modalities), "targets": targets}
        samples = (sample for batch in self.batches for sample in batch.samples)
        rejects = (reject for batch in self.batches for reject in batch.rejects)
        records = (record_row(sample, sample["sample_id"]) for sample in samples)
        return self._table(
            SAMPLES,
            STAGE,
            parameters,
            samples_schema(modalities, targets),
            [*records, *map(reject_row, rejects)],
        )

    @property
    def assets(self) -> dict[str, PartsPlan]:
        """<root>/assets/<modality>"""
        return {
            modality: self._table(
                f"{ASSETS}/{modality}",
                f"{STAGE}/{modality}",
                {},
                assets_schema(),
                map(record_row, first_of_each(self.batches, modality)),
            )
            for modality in self.params.modalities
        }

    def _table(
        self,
        folder: str,
        stage: str,
        parameters: dict[str, Any],
        schema: pa.Schema,
        rows: Iterable[Row],
    ) -> PartsPlan:
        return table(
            out=self.root / folder,
            stage=stage,
            fingerprint=fingerprint(stage, WRITERS, parameters),
            schema=schema,
            rows=rows,
            mean_rows=self.params.parts.mean_rows,
            max_bytes=self.params.parts.max_bytes,
            reject_limit=1.0,  # `batches` has checked it
        )


def plan(params: Params, item: str = "", root: Path = Path(DATA)) -> IngestPlan:
    """<root>/samples and <root>/assets/<modality> of what lies in <root>/raw."""
    return IngestPlan(params, root)


def _stamps(raw: Path, sources: Sequence[str]) -> Iterator[list[object]]:
    """Path, kind, size, times and inode of all below the sources' folders, no file opened."""
    for source in sources:
        for folder, names, files in os.walk(raw / source):
            names.sort()
            for name in sorted([*names, *files]):
                path = os.path.join(folder, name)  # noqa: PTH118, a Path for each costs more
                status = os.lstat(path)
                stamp = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
                kind = stat.S_IFMT(status.st_mode)
                yield [os.fsencode(path).hex(), kind, *(stamp if name in files else ())]


def _check(batches: Sequence[Batch], limit: float) -> None:
    """Hold rows and files to the limit, each by themselves.

    A file that is refused may cost a sample nothing but one of its modalities, and a batch has
    several files a row; of both together no share would say how much is lost. Files come first,
    being the reason why a sample has no modality left.
    """
    refused = [reject for batch in batches for reject in batch.rejects]
    files = Counter(reject.reason for reject in refused if reject.subject_kind == "file")
    rows = Counter(reject.reason for reject in refused if reject.subject_kind != "file")
    assets = sum(record["data"] is None for batch in batches for _, record in batch.assets)
    samples = sum(len(batch.samples) for batch in batches)
    for what, taken, reasons in ((f"{STAGE}/files", assets, files), (STAGE, samples, rows)):
        check_limit(what, Summary(rows=taken, rejected=reasons.total(), reasons=reasons), limit)


def _remove_others(assets: Path, modalities: Collection[str]) -> None:
    """Remove what an earlier params.yaml made of modalities that this one does not name."""
    for path in assets.iterdir():
        if path.name not in modalities:
            with locked(path):
                remove(path)
