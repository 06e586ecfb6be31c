"""clean@modality: data/assets/<modality> → data/clean/<modality>."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.core.folders import ASSETS, CLEAN, DATA, RAW
from pipeline.execution.choose import chooser
from pipeline.modalities import cleaning_of, part
from pipeline.params import Params
from pipeline.parts import manifest
from pipeline.parts.fingerprint import fingerprint
from pipeline.parts.part import Row
from pipeline.parts.plan import PartsPlan
from pipeline.raw.roots import Raw
from pipeline.stages.work.clean import Source
from pipeline.stages.work.clean_tracks import CleanTracks, key_of

COLUMNS = ["digest", "media_type", "size", "locator", "data"]


def plan(params: Params, modality: str, root: Path = Path(DATA)) -> PartsPlan:
    """Decode, check and normalise every asset of one modality."""
    options, cleaning = params.clean[modality].options, cleaning_of(modality)
    parameters = getattr(cleaning, "parameters", None)
    identity = fingerprint(
        f"clean/{modality}",
        ["pipeline.stages.work.clean", part(modality, "clean"), part(modality, "content")],
        parameters(options) if parameters else options.model_dump(mode="json"),
    )
    work = CleanTracks(modality, options, Raw((root / RAW).absolute(), params.roots), identity)
    assets = root / ASSETS / modality
    most_bytes = cleaning.most_bytes

    def rows() -> Iterator[Row]:
        for entry, table in manifest.read_each(assets, COLUMNS):
            for asset in table.to_pylist():
                yield Row(
                    digest=asset["digest"],
                    key=key_of(asset["digest"], asset["media_type"], modality),
                    source=entry.source,
                    batch=entry.batch,
                    size=most_bytes(asset["size"], options),
                    spec=Source(asset["locator"], asset["media_type"], asset["data"]),
                )

    return PartsPlan(
        out=root / CLEAN / modality,
        work=work,
        rows=rows,
        reads=lambda: [manifest.manifest_digest(assets)],
        cut=(params.parts.mean_rows, params.parts.max_bytes),
        executor=chooser(params.execution, foreign=True),
        reject_limit=params.clean[modality].reject_limit,
    )
