"""Raw batches → the tables of samples and assets."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.catalogue import STAGE, catalogue, first_of_each
from pipeline.digests import remembered
from pipeline.fingerprint import fingerprint
from pipeline.params import Params
from pipeline.part import replacing
from pipeline.parts import Summary
from pipeline.records import assets_schema, samples_schema
from pipeline.tables import record_row, reject_row, store

# A row's key is its content, so what found it need not be in the key: only what writes it down.
WRITERS = ("pipeline.part", "pipeline.records")


def run(params: Params, item: str = "", root: Path = Path("data")) -> Summary:
    """Bring <root>/samples and <root>/assets/<modality> to what lies in <root>/raw.

    <root>/ingest.json says what was found, batch by batch.
    """
    sources = {name: (source.kind, source.options) for name, source in params.sources.items()}
    modalities, targets = params.modalities, params.targets
    with remembered() as digests:
        batches = list(catalogue(root / "raw", sources, modalities, targets, digests))

    rows = [
        record_row(sample, sample["sample_id"]) for batch in batches for sample in batch.samples
    ]
    rows += [reject_row(reject) for batch in batches for reject in batch.rejects]
    about = fingerprint(
        STAGE, WRITERS, {"modalities": sorted(modalities), "targets": dict(sorted(targets.items()))}
    )
    schema = samples_schema(modalities, targets)
    cut = (params.parts.mean_rows, params.parts.max_bytes, params.ingest.reject_limit)
    summary = store(root / "samples", STAGE, about, schema, rows, *cut)

    for modality in modalities:
        assets = [record_row(record) for record in first_of_each(batches, modality)]
        name = f"{STAGE}/{modality}"
        about = fingerprint(name, WRITERS, {})
        store(root / "assets" / modality, name, about, assets_schema(), assets, *cut)

    counts: dict[str, dict[str, object]] = {source: {} for source in sorted(sources)}
    for batch in batches:
        counts[batch.source][batch.name] = batch.counts
    with replacing(root / "ingest.json") as temporary:
        temporary.write_text(json.dumps(counts, indent=1) + "\n")
    return summary
