"""A synthetic project: a million text vectors in 30 batches, 200,000 pictures, as many voices.

Written straight in the store's layout, without the stages that usually make it. The same rows stand
beside it as one memory-mapped array and as a Lance dataset.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import yaml

from pipeline.core.files.digest import digest_file
from pipeline.core.schemas import curated_schema
from pipeline.parts.fingerprint import Fingerprint, fingerprint
from pipeline.parts.manifest import write_manifest
from pipeline.parts.part import Entry, write_table
from pipeline.store.format.layout import GROUP_ROWS, features_table, write_features

BATCHES = 30
SOURCE = "made"
LENGTHS = 10


@dataclass(frozen=True)
class Made:
    """A feature set: its modality, rows and width."""

    modality: str
    rows: int
    width: int


def sets(scale: float) -> dict[str, Made]:
    """The sets at a scale; 1 is the published one."""
    return {
        "words": Made("text", int(1_000_000 * scale), 384),
        "pictures": Made("image", int(200_000 * scale), 1280),
        "voices": Made("audio", int(200_000 * scale), 128),
    }


def put_project(folder: Path, scale: float) -> None:
    """Make the project, unless it is there; remove the folder to have it made anew."""
    if (folder / "params.yaml").is_file():
        return
    made = sets(scale)
    print_ = fingerprint("made", ["pipeline.core.files.digest"], {})
    for number, (name, one) in enumerate(made.items()):
        _put_set(folder / "data" / "features" / name, name, one, number, print_)
    _put_samples(folder / "data" / "curated", made, print_)
    features = {name: {"modality": one.modality, "encoder": "made"} for name, one in made.items()}
    (folder / "params.yaml").write_text(yaml.safe_dump({"features": features}))


def batch_name(number: int) -> str:
    """b00, b01, …"""
    return f"b{number:02d}"


def digest_of(modality: str, row: int) -> str:
    """The digest that stands for an asset."""
    return hashlib.sha256(f"{modality} {row}".encode()).hexdigest()


def batch_rows(one: Made, batch: int) -> list[str]:
    """The digests of a batch's assets, in order: every 30th row is the batch's."""
    return sorted(digest_of(one.modality, row) for row in range(batch, one.rows, BATCHES))


def _put_set(out: Path, name: str, one: Made, seed: int, print_: Fingerprint) -> None:
    out.mkdir(parents=True)
    entries = []
    flat = np.lib.format.open_memmap(
        out.parent.parent / f"{name}.npy", "w+", np.float32, (one.rows, one.width)
    )
    at = 0
    for batch in range(BATCHES):
        digests = batch_rows(one, batch)
        rng = np.random.default_rng([seed, batch])
        lengths = rng.integers(1, LENGTHS + 1, len(digests)).astype(np.int32)
        values = rng.standard_normal((len(digests), one.width), np.float32)
        flat[at : at + len(digests)] = values
        at += len(digests)
        for start in range(0, len(digests), GROUP_ROWS):
            part = slice(start, start + GROUP_ROWS)
            entries.append(
                put_part(out, batch_name(batch), digests[part], lengths[part], values[part])
            )
    flat.flush()
    write_manifest(out, f"extract/{name}", entries, print_)


def put_part(
    out: Path, batch: str, digests: list[str], lengths: np.ndarray, values: np.ndarray
) -> Entry:
    """One part of view 0."""
    key = hashlib.sha256("".join(digests).encode()).hexdigest()[:32]
    path = out / f"{key}.parquet"
    keys = [digest[:32] for digest in digests]
    table = features_table(digests, keys, [0] * len(digests), lengths, values)
    write_features(table, path, {})
    size = path.stat().st_size
    return Entry(key, SOURCE, batch, 0, len(digests), 0, size, digest_file(path, "md5"))


def _put_samples(out: Path, made: dict[str, Made], print_: Fingerprint) -> None:
    """A sample for each picture; one in ten lacks its voice."""
    out.mkdir(parents=True)
    count = made["pictures"].rows
    order = np.random.default_rng(9).permutation(count)
    columns = {
        "sample_id": [f"{SOURCE}/{row:07d}" for row in range(count)],
        "source": [SOURCE] * count,
        "batch": [batch_name(row % BATCHES) for row in range(count)],
        "group": [f"g{row}" for row in range(count)],
        "split_given": pa.nulls(count, pa.string()),
        "licence": pa.nulls(count, pa.string()),
        "target.kind": [f"k{row % 7}" for row in range(count)],
        "attributes": [[("row", str(row))] for row in range(count)],
        "image": [digest_of("image", int(row)) for row in order],
        "text": [digest_of("text", int(row)) for row in order],
        "audio": [digest_of("audio", int(row)) if row % 10 else None for row in order],
        "component": [f"c{row}" for row in range(count)],
        "split": ["train" if row % 5 else "test" for row in range(count)],
        "joined_by": [[] for _ in range(count)],
    }
    schema = curated_schema(("audio", "image", "text"), {"kind": "multiclass"})
    table = pa.table({name: columns[name] for name in schema.names}, schema=schema)
    path = out / "samples.parquet"
    write_table(table, path, {})
    entry = Entry("samples", SOURCE, "b", 0, count, 0, path.stat().st_size,
                  digest_file(path, "md5"))  # fmt: skip
    write_manifest(out, "curate", [entry], print_)


def described(scale: float) -> dict[str, dict[str, int | str]]:
    """The sets, for the page."""
    return {name: asdict(one) for name, one in sets(scale).items()}
