"""Raw batches → the tables of samples and assets."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pipeline.catalogue import STAGE, Batch, catalogue, first_of_each
from pipeline.digests import remembered
from pipeline.fingerprint import fingerprint
from pipeline.params import Params
from pipeline.part import replacing
from pipeline.parts import Summary, check_limit, locked
from pipeline.raw import Raw
from pipeline.records import assets_schema, samples_schema
from pipeline.tables import record_row, reject_row, store

# A row's key is its content, so what found it need not be in the key: only what writes it down.
WRITERS = ("pipeline.part", "pipeline.records")


def run(params: Params, item: str = "", root: Path = Path("data")) -> Summary:
    """Bring <root>/samples and <root>/assets/<modality> to what lies in <root>/raw,
    and where sources have a root of their own, there.

    <root>/ingest.json says what was found, batch by batch: see `pipeline.catalogue.Batch`. The
    refused, of whatever kind, stand in the parts of samples and count as rejected there.

    Raises
    ------
    PipelineError
        A source has no batch, a file cannot be read, or more of the rows or of the files than
        `ingest.reject_limit` were refused; the previous outputs then stand.
    """
    sources = {name: (source.kind, source.options) for name, source in params.sources.items()}
    modalities, targets = params.modalities, params.targets
    raw = Raw(root / "raw", params.roots)
    with remembered() as digests:
        batches = list(catalogue(raw, sources, modalities, targets, digests))
    _check(batches, params.ingest.reject_limit)

    rows = [
        record_row(sample, sample["sample_id"]) for batch in batches for sample in batch.samples
    ]
    rows += [reject_row(reject) for batch in batches for reject in batch.rejects]
    about = fingerprint(
        STAGE, WRITERS, {"modalities": sorted(modalities), "targets": dict(sorted(targets.items()))}
    )
    schema = samples_schema(modalities, targets)
    cut = (params.parts.mean_rows, params.parts.max_bytes, 1.0)  # the limit is checked above
    summary = store(root / "samples", STAGE, about, schema, rows, *cut)

    for modality in modalities:
        assets = [record_row(record) for record in first_of_each(batches, modality)]
        name = f"{STAGE}/{modality}"
        about = fingerprint(name, WRITERS, {})
        store(root / "assets" / modality, name, about, assets_schema(), assets, *cut)
    _remove_others(root / "assets", modalities)

    counts: dict[str, dict[str, object]] = {source: {} for source in sorted(sources)}
    for batch in batches:
        counts[batch.source][batch.name] = batch.counts
    with replacing(root / "ingest.json") as temporary:
        temporary.write_text(json.dumps(counts, indent=1) + "\n")
    return summary


def _check(batches: Sequence[Batch], limit: float) -> None:
    """Hold rows and files to the limit, each by themselves.

    A file that is refused may cost a sample nothing but one of its modalities, and a batch has
    several files a row; of both together no share would say how much is lost. Files come first,
    being the reason why a sample has no modality left.
    """
    refused = [reject for batch in batches for reject in batch.rejects]
    files = Counter(reject.reason for reject in refused if reject.subject_kind == "file")
    rows = Counter(reject.reason for reject in refused if reject.subject_kind != "file")
    assets = sum(len(batch.assets) for batch in batches)
    samples = sum(len(batch.samples) for batch in batches)
    for what, taken, reasons in ((f"{STAGE}/files", assets, files), (STAGE, samples, rows)):
        check_limit(what, Summary(rows=taken, rejected=reasons.total(), reasons=reasons), limit)


def _remove_others(assets: Path, modalities: Sequence[str]) -> None:
    """Remove what an earlier params.yaml made of modalities that this one does not name."""
    for folder in assets.iterdir():
        if folder.is_dir() and folder.name not in modalities:
            with locked(folder):
                shutil.rmtree(folder)
