"""clean@modality: data/assets/<modality> → data/clean/<modality>."""

from __future__ import annotations

from pathlib import Path

from pipeline import manifest, parts
from pipeline.execution.choose import chooser
from pipeline.fingerprint import fingerprint
from pipeline.params import Params
from pipeline.part import Row
from pipeline.parts import Summary
from pipeline.raw import Raw
from pipeline.registry import load
from pipeline.work.clean import Clean, Source

COLUMNS = ["digest", "media_type", "size", "locator", "data"]


def run(params: Params, modality: str, root: Path = Path("data")) -> Summary:
    """Decode, check and normalise every asset of one modality."""
    options = params.clean[modality].options
    module = load(f"modalities/{modality}", "clean")
    identity = fingerprint(
        f"clean/{modality}",
        ["pipeline.work.clean", module.__name__, f"pipeline.modalities.{modality}.content"],
        options.model_dump(mode="json"),
    )
    work = Clean(modality, options, Raw((root / "raw").absolute(), params.roots), identity)
    rows = [
        Row(
            digest=asset["digest"],
            key=f"{asset['digest']} {asset['media_type']}",
            source=entry.source,
            batch=entry.batch,
            size=asset["size"],
            spec=Source(asset["locator"], asset["media_type"], asset["data"]),
        )
        for entry, table in manifest.read_each(root / "assets" / modality, COLUMNS)
        for asset in table.to_pylist()
    ]
    planned = parts.plan(identity, rows, params.parts.mean_rows, params.parts.max_bytes)
    executor = chooser(params.execution)
    limit = params.clean[modality].reject_limit
    return parts.run(root / "clean" / modality, work, planned, executor, limit)
