"""curate: data/samples, data/clean/* → data/curated, data/curated.json.

It is recomputed whole, since one new picture may join two components, and writes what changed.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import PipelineError
from pipeline.core.files.atomic import atomic_write
from pipeline.core.files.digest import digest_json
from pipeline.core.files.documents import reading
from pipeline.core.folders import CLEAN, CURATE_COUNTS, CURATED, DATA, SAMPLES
from pipeline.core.registry import locate
from pipeline.core.schemas import curated_schema
from pipeline.curation import leaks
from pipeline.curation.curate import curate
from pipeline.curation.duplicate_links import Asset
from pipeline.modalities import modality_of
from pipeline.params import Params
from pipeline.parts import manifest, tables
from pipeline.parts.fingerprint import fingerprint
from pipeline.parts.summary import Summary

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class CurateSummary(Summary):
    """What the stage did, and how many samples changed sides since it last ran here.

    `moved` maps `train→test` and the like to samples. It depends on history, so it stands in the
    run record and in no versioned output.
    """

    moved: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class CuratePlan:
    """The whole of curation; it has nothing to do where nothing that it reads has changed."""

    params: Params
    root: Path

    def run(self) -> CurateSummary:
        """Join groups into components, split them, and prove that nothing leaks.

        Raises
        ------
        PipelineError
            There are no samples, a modality has no perceptual hash to be near by, a component is
            too large, given splits tear one apart, the leak gate finds a leak, or too many are
            refused.
        """
        params, root = self.params, self.root
        options = params.curate
        tables_of_samples = [
            table
            for entry, table in manifest.read_each(root / SAMPLES)
            if entry.source not in params.predicted
        ]
        samples = pa.concat_tables(tables_of_samples) if tables_of_samples else pa.table({})
        if samples.num_rows == 0:
            raise PipelineError(f"{root / 'samples'} holds no samples: see `pipeline rejects`")
        cleaned = {
            name: _cleaned(root / CLEAN / name, options.join(name) == "near")
            for name in params.modalities
        }
        assets = {name: _assets(table) for name, table in cleaned.items()}

        curation = curate(samples.to_pylist(), assets, options, params.targets, params.seed)
        schema = curated_schema(params.modalities, params.targets)
        for warning in curation.summary["warnings"]:
            LOG.warning("curate: %s", warning)
        leaks.check_leaks(pa.Table.from_pylist(curation.records, schema=schema), cleaned, options)

        moved = _moved(root / CURATED, {r["sample_id"]: r["split"] for r in curation.records})
        # A row's key is its content: a change of options or of code that leaves the rows as they
        # are leaves all that follows alone. So the key has only what writes them down.
        about = fingerprint(
            "curate",
            ["pipeline.parts.part", "pipeline.core.schemas"],
            {
                "modalities": sorted(params.modalities),
                "targets": dict(sorted(params.targets.items())),
            },
        )
        summary = tables.table(
            out=root / CURATED,
            stage="curate",
            fingerprint=about,
            schema=schema,
            rows=[
                *(tables.record_row(record, record["sample_id"]) for record in curation.records),
                *map(tables.reject_row, curation.rejects),
            ],
            mean_rows=params.parts.mean_rows,
            max_bytes=params.parts.max_bytes,
            reject_limit=options.reject_limit,
        ).run()
        with atomic_write(root / CURATE_COUNTS) as temporary:
            text = json.dumps(curation.summary, indent=1, sort_keys=True, ensure_ascii=False)
            temporary.write_text(text + "\n", encoding="utf-8")
        return CurateSummary(**vars(summary), moved=moved)

    @property
    def outs(self) -> list[Path]:
        return [self.root / CURATED, self.root / CURATE_COUNTS]

    @cached_property
    def key(self) -> str:
        """Digest of what is read and of what is done with it."""
        params = self.params
        function = fingerprint(
            "curate",
            [
                "pipeline.curation.curate",
                "pipeline.curation.leaks",
                __name__,
                *(locate("models/tasks", kind) for kind in sorted({*params.targets.values()})),
            ],
            {
                "options": params.curate.model_dump(mode="json"),
                "modalities": {name: modality_of(name).LEAK_KEY for name in params.modalities},
                "targets": dict(params.targets),
                "seed": params.seed,
                "parts": params.parts.model_dump(mode="json"),
            },
        )
        inputs = [SAMPLES, *(f"{CLEAN}/{name}" for name in params.modalities)]
        without = params.predicted
        read = [manifest.manifest_digest(self.root / name, without) for name in inputs]
        return digest_json([function.digest, read])


def plan(params: Params, item: str = "", root: Path = Path(DATA)) -> CuratePlan:
    """Components, splits and the leak gate, recomputed whole."""
    return CuratePlan(params, root)


def _cleaned(out: Path, near: bool) -> pa.Table:
    """digest, content and, for `near`, phash of a modality's cleaned assets: its LEAK_KEY."""
    leak_key = modality_of(out.name).LEAK_KEY or "perceptual hash"
    columns = ["digest", "content", *([leak_key] if near else [])]
    for entry in manifest.read_manifest(out)[:1]:
        path = out / f"{entry.key}.parquet"
        with reading(path):
            missing = set(columns) - set(pq.read_schema(path).names)
        if missing:
            raise PipelineError(
                f"curate.join_on: {out.name} cannot join on near, having no perceptual hash "
                f"(no {', '.join(sorted(missing))} in {out}); set it to equal"
            )
    cleaned = manifest.read(out, columns)
    return cleaned.rename_columns(
        ["phash" if name == leak_key else name for name in cleaned.column_names]
    )


def _assets(cleaned: pa.Table) -> dict[str, Asset]:
    if cleaned.num_rows == 0:
        return {}
    columns = {name: cleaned[name].to_pylist() for name in cleaned.column_names}
    hashes = columns.get("phash") or [None] * cleaned.num_rows
    return {
        digest: Asset(content, int(phash, 16) if phash else None)
        for digest, content, phash in zip(
            columns["digest"], columns["content"], hashes, strict=True
        )
    }


def _moved(out: Path, splits: Mapping[str, str]) -> dict[str, int]:
    """Samples by the sides between which they moved since `out` was written."""
    try:
        before = manifest.read(out, ["sample_id", "split"]).to_pylist()
    except (PipelineError, OSError, ValueError):
        return {}  # no previous run, or a damaged one, which the writing mends
    steps = Counter(
        f"{row['split']}→{splits[row['sample_id']]}"
        for row in before
        if splits.get(row["sample_id"], row["split"]) != row["split"]
    )
    return dict(sorted(steps.items()))
