"""Samples and assets in a line, and a table of them as the leak gate reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from pipeline.core.schemas import curated_schema
from pipeline.curation.duplicate_links import Asset

MODALITIES = ("audio", "image", "text")
TARGETS: dict[str, str] = {"category": "multiclass", "language": "multiclass"}

Assets = dict[str, dict[str, Asset]]


def sample(sample_id: str, group: str = "", **columns: Any) -> dict[str, Any]:
    """A sample of one batch; its group is its own unless given."""
    record = {
        "sample_id": sample_id,
        "source": "s",
        "batch": "b",
        "group": group or sample_id,
        "split_given": None,
        "licence": None,
        "target.category": "animal",
        "target.language": "en",
        "attributes": [("tone", "high")],
        "audio": None,
        "image": None,
        "text": None,
    }
    names = {"category": "target.category", "language": "target.language"}
    return record | {names.get(name, name): value for name, value in columns.items()}


def assets_of(samples: list[dict[str, Any]], hashes: Mapping[str, int] | None = None) -> Assets:
    """Every asset that the samples hold, cleaned, its content named like itself."""
    hashes = hashes or {}
    return {
        modality: {
            digest: Asset(f"content of {digest}", hashes.get(digest))
            for digest in sorted({row[modality] for row in samples} - {None})
        }
        for modality in MODALITIES
    }


def curated_table(records: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(records, schema=curated_schema(MODALITIES, TARGETS))


def cleaned_tables(assets: Assets) -> dict[str, pa.Table]:
    schema = pa.schema([("digest", pa.string()), ("content", pa.string()), ("phash", pa.string())])
    return {
        modality: pa.Table.from_pylist(
            [
                {
                    "digest": digest,
                    "content": asset.content,
                    "phash": None if asset.phash is None else f"{asset.phash:016x}",
                }
                for digest, asset in own.items()
            ],
            schema=schema,
        )
        for modality, own in assets.items()
    }
