"""Samples of the project as a model is asked about them: which have no label, and raw contents."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core import spans
from pipeline.core.folders import ASSETS, CURATED, DATA, RAW, SAMPLES
from pipeline.core.records import UNLABELLED
from pipeline.inference.samples import Content, Sample
from pipeline.params import Params
from pipeline.parts import manifest
from pipeline.raw.roots import Raw


def unlabelled_ids(batches: Collection[tuple[str, str]] | None = None) -> list[str]:
    """The samples that curation left out for want of a target, sorted; of some batches if named."""
    return sorted(
        reject.subject
        for reject in manifest.rejects(Path(DATA, CURATED).joinpath)
        if reject.reason == UNLABELLED
        and (batches is None or (reject.source, reject.batch) in batches)
    )


def raw_samples(params: Params, ids: Sequence[str]) -> Iterator[Sample]:
    """Samples with their raw contents, in the order of their names."""
    root = Path(DATA)
    raw = Raw((root / RAW).absolute(), params.roots, params.download)
    table = manifest.read(root / SAMPLES)
    rows = table.filter(pc.is_in(table["sample_id"], value_set=pa.array(ids))).sort_by("sample_id")
    assets = {name: _assets(root / ASSETS / name, rows[name]) for name in params.modalities}
    for row in rows.to_pylist():
        yield Sample(
            row["sample_id"],
            {
                name: _content(raw, of_modality[row[name]])
                for name, of_modality in assets.items()
                if row[name] in of_modality
            },
        )


def _assets(folder: Path, digests: pa.ChunkedArray) -> dict[str, dict[str, Any]]:
    table = manifest.read(folder, ["digest", "source", "locator", "data"])
    rows = table.filter(pc.is_in(table["digest"], value_set=pc.unique(digests)))
    return {row["digest"]: row for row in rows.to_pylist()}


def _content(raw: Raw, asset: dict[str, Any]) -> Content:
    """A file by its path, whose ending may say what it is; else the bytes."""
    if asset["data"] is not None:
        return bytes(asset["data"])
    path: Path = raw.folder / asset["locator"]
    if Path(spans.split(str(path), spans.PATH)[0]).is_file():
        return path
    return raw.read(asset["source"], asset["locator"], asset["digest"])
