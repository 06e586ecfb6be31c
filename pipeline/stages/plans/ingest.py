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

from pipeline.core.errors import PipelineError
from pipeline.core.files.atomic import atomic_write, remove
from pipeline.core.files.digest import digest_json
from pipeline.core.files.digest_cache import open_digest_cache
from pipeline.core.files.lock import locked
from pipeline.core.folders import ASSETS, DATA, INGEST_COUNTS, RAW, SAMPLES
from pipeline.core.registry import locate
from pipeline.core.schemas import assets_schema, samples_schema
from pipeline.core.terminal import say
from pipeline.params import Params
from pipeline.parts.fingerprint import fingerprint
from pipeline.parts.part import Row
from pipeline.parts.plan import PartsPlan
from pipeline.parts.refusals import keep
from pipeline.parts.reject_limit import check_limit
from pipeline.parts.summary import Summary
from pipeline.parts.tables import record_row, reject_row, table
from pipeline.raw import media_types
from pipeline.raw.batch import STAGE, Batch, alike_names, first_of_each
from pipeline.raw.catalogue import catalogue
from pipeline.raw.held_samples import HELD
from pipeline.raw.roots import Raw
from pipeline.raw.tracking import untracked
from pipeline.sources import FOLDER

if TYPE_CHECKING:
    import pyarrow as pa

# A row's key is its content, so what found it need not be in the key: only what writes it down.
WRITERS = ("pipeline.parts.part", "pipeline.core.schemas")


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
            [
                __name__,
                *media_types.modules(),
                *(locate(FOLDER, kind) for kind, _, _ in sources.values()),
            ],
            {
                "sources": {
                    name: [kind, options.model_dump(mode="json"), root]
                    for name, (kind, options, root) in sources.items()
                },
                "modalities": list(params.modalities),
                "targets": dict(params.targets),
                "ingest": params.ingest.model_dump(mode="json"),
                "predicted": sorted(params.predicted),
                "download": sorted(params.download),
                "parts": params.parts.model_dump(mode="json"),
            },
        )
        return digest_json([about.digest, *_stamps(self.root / RAW, sorted(sources))])

    def run(self) -> Summary:
        """Bring the tables to what lies in the raw root.

        <root>/ingest.json says what was found, batch by batch: see
        `pipeline.raw.batch.Batch`, and `alike_names` for what stands there as `alike`. The
        refused, of whatever kind, stand in the parts of samples and count as rejected there.

        Raises
        ------
        PipelineError
            A source has no batch, a file cannot be read, a batch's table cannot be used, more of
            the rows or of the files than `ingest.reject_limit` were refused, a modality that is
            not `ingest.optional` has no asset, or no sample uses more of a batch's files than
            `ingest.unused_limit`; the previous outputs then stand.
        """
        kept_by_dvc = self.params.sources.keys() - self.params.roots.keys()
        for line in untracked(self.root / RAW, kept_by_dvc, self.params.fetched):
            say(line, error=True)
        summary = self.samples.run()
        for assets in self.assets.values():
            assets.run()
        _remove_others(self.root / ASSETS, self.assets)
        counts: dict[str, dict[str, object]] = {name: {} for name in sorted(self.params.sources)}
        for batch, alike in zip(self.batches, alike_names(self.batches), strict=True):
            counts[batch.source][batch.name] = {**batch.counts, "alike": alike}
        with atomic_write(self.root / INGEST_COUNTS) as temporary:
            text = json.dumps(counts, indent=1, ensure_ascii=False)
            temporary.write_text(text + "\n", encoding="utf-8")
        return summary

    @cached_property
    def batches(self) -> list[Batch]:
        """What lies in the raw root; files that changed are read."""
        params = self.params
        sources = {name: (source.kind, source.options) for name, source in params.sources.items()}
        raw = Raw(self.root / RAW, params.roots, params.download)
        with open_digest_cache() as digests:
            listed = catalogue(
                raw, sources, params.modalities, params.targets, digests, may_lack=params.predicted
            )
            batches = list(listed)
        try:
            check_batches(batches, params)
        except PipelineError:
            keep(STAGE, [reject for batch in batches for reject in batch.rejects])
            raise
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
                map(record_row, first_of_each(self.batches, modality, self.params.predicted)),
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


def check_batches(batches: Sequence[Batch], params: Params) -> None:
    """PipelineError where more is lost than params allow, of whatever kind.

    What is only answered for is let through: each row of it tells by itself why it has no answer.
    """
    batches = [batch for batch in batches if batch.source not in params.predicted]
    options = params.ingest
    if options.reject_limit < 1:  # A share says nothing of rows that nobody could count.
        _check_usable(batches)
    _check_rejects(batches, options.reject_limit)
    lacking = set(params.modalities) - {m for batch in batches for m, _ in batch.assets}
    if lost := sorted(lacking.difference(options.optional)):
        raise PipelineError(_without_assets(batches, lost))
    _check_unused(batches, options.unused_limit)


def _check_usable(batches: Sequence[Batch]) -> None:
    unusable = [f"  {b.source}/{b.name}: {b.unusable}" for b in batches if b.unusable]
    if unusable:
        raise PipelineError(
            f"{STAGE}: {len(unusable)} batch(es) cannot be read, or a table of theirs:\n"
            + "\n".join(unusable)
            + "\nThe previous outputs stand. Mend the data, or take the batch away."
        )


def _check_rejects(batches: Sequence[Batch], limit: float) -> None:
    """Hold rows and files to the limit, each by themselves.

    A file that is refused may cost a sample nothing but one of its modalities, and a batch has
    several files a row; of both together no share would say how much is lost. Files come first,
    being the reason why a sample has no modality left.
    """
    refused = [reject for batch in batches for reject in batch.rejects]
    assets = sum(record["data"] is None for batch in batches for _, record in batch.assets)
    samples = sum(len(batch.samples) for batch in batches)
    for what, taken in (("files", assets), ("rows", samples)):
        reasons = Counter(
            reject.reason
            for reject in refused
            if (reject.subject_kind == "file") == (what == "files") and reject.reason != HELD
        )
        summary = Summary(rows=taken, rejected=reasons.total(), reasons=reasons)
        check_limit(STAGE, summary, limit, refused, what)


def _without_assets(batches: Sequence[Batch], modalities: Sequence[str]) -> str:
    listed = ", ".join(modalities)
    lines = [f"{STAGE}: no sample has any {listed}, which params.yaml names under modalities."]
    for batch in batches:
        unused = batch.counts["unused_by_modality"]
        lying = ", ".join(f"{unused[m]:,} files of {m}" for m in modalities if m in unused)
        if lying or batch.advice:
            lying = lying and f"{lying} are used by no sample. "
            lines.append(f"  {batch.source}/{batch.name}: {lying}{batch.advice}".rstrip())
    return "\n".join(
        [
            *lines,
            "The previous outputs stand. Mend the tables or the options of the source, take it out "
            f"of modalities, or, if it comes later, set `ingest.optional: [{listed}]`.",
        ]
    )


def _check_unused(batches: Sequence[Batch], limit: float) -> None:
    """Hold each batch's files of a modality that no sample uses to the limit."""
    lines = []
    for batch in batches:
        used = Counter(modality for modality, _ in batch.assets)
        for modality, unused in batch.counts["unused_by_modality"].items():
            total = unused + used[modality]
            if unused > limit * total:
                lines.append(
                    f"  {batch.source}/{batch.name}: {unused:,} of {total:,} of {modality}. "
                    f"{batch.advice}".rstrip()
                )
    if lines:
        raise PipelineError(
            f"{STAGE}: no sample uses more than {limit:.0%} of a batch's files (`ingest."
            "unused_limit`):\n" + "\n".join(lines) + "\nThe previous outputs stand. Name the files "
            "in the table, take them away, or raise the limit."
        )


def _remove_others(assets: Path, modalities: Collection[str]) -> None:
    """Remove what an earlier params.yaml made of modalities that this one does not name."""
    for path in assets.iterdir():
        if path.name not in modalities:
            with locked(path):
                remove(path)
