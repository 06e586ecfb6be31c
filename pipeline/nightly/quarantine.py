"""What stays out until somebody decides.

Batches lie in data/held, which no stage reads and DVC keeps; single samples of a batch that is in
are named beside it, and ingest passes over them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.core.files.atomic import remove
from pipeline.core.files.lock import locked
from pipeline.core.folders import DATA, RAW
from pipeline.params import Params
from pipeline.raw.folders import LocalFolder
from pipeline.raw.held_samples import RECORD, read_held, write_held
from pipeline.sources import source_of

HELD = "held"
REASONS = 3


def raw_place(source: str, batch: str) -> Path:
    return Path(DATA, RAW, source, batch)


def held_place(source: str, batch: str) -> Path:
    return Path(DATA, HELD, source, batch)


def dvc_file(place: Path) -> Path:
    return Path(f"{place}.dvc")


def is_in(place: Path) -> bool:
    """Whether a batch is at a place, whole and known to DVC."""
    return dvc_file(place).is_file()


def hold_batch(source: str, batch: str) -> None:
    """Take a batch out of what stages read; nothing of it is lost."""
    _move(raw_place(source, batch), held_place(source, batch))


def release_batch(source: str, batch: str) -> None:
    """Put a batch that was held where stages read it."""
    _move(held_place(source, batch), raw_place(source, batch))


def discard_batch(source: str, batch: str) -> None:
    """Remove a batch that is held; commits that have it, and DVC's cache, keep it."""
    place = held_place(source, batch)
    with locked(place.parent):
        dvc_file(place).unlink(missing_ok=True)
        remove(place)


def held_record(source: str) -> Path:
    """Where the samples of a source's batches that are held are named."""
    return Path(DATA, RAW, source, RECORD)


def hold_samples(source: str, batch: str, reasons: Mapping[str, str]) -> None:
    """Take samples of a batch, by their ids within it, out of what ingest passes on."""
    folder = held_record(source).parent
    with locked(folder):
        held = {(batch, sample): why for sample, why in reasons.items()}
        write_held(folder, read_held(folder) | held)


def release_samples(source: str, batch: str, samples: Iterable[str]) -> None:
    """Let ingest pass samples on again."""
    folder = held_record(source).parent
    with locked(folder):
        gone = {(batch, sample) for sample in samples}
        write_held(folder, {k: why for k, why in read_held(folder).items() if k not in gone})


def withdrawable(source: str, batch: str) -> None:
    """PipelineError unless a batch lies below data/raw and DVC has it by itself."""
    if not is_in(raw_place(source, batch)):
        batches = sorted(
            f"{path.parent.name}/{path.stem}" for path in Path(DATA, RAW).glob("*/*.dvc")
        )
        raise PipelineError(
            f"there is no batch {source}/{batch} that came in by itself; there are: "
            f"{', '.join(batches) or 'none'}"
        )


def scan_problems(params: Params, source: str, batch: str) -> list[str]:
    """Why what a source makes of a batch cannot go on, from names and tables alone."""
    section = params.sources[source]
    scan = source_of(section.kind).scan(LocalFolder(raw_place(source, batch)), section.options)
    refused, samples = len(scan.refused), len(scan.samples)
    if not samples and not refused:
        return ["no sample can be made of it"]
    share = refused / (refused + samples)
    if share <= params.ingest.reject_limit:
        return []
    reasons = Counter(refusal.reason for refusal in scan.refused).most_common(REASONS)
    example = scan.refused[0].message
    return [
        f"{refused} of {refused + samples} samples are refused "
        f"({', '.join(f'{n} {reason}' for reason, n in reasons)}), such as: {example}"
    ]


def _move(start: Path, end: Path) -> None:
    """Two renames; a second call finishes what a killed one began."""
    with locked(start.parent), locked(end.parent):
        end.parent.mkdir(parents=True, exist_ok=True)
        if start.exists():
            start.rename(end)
        if is_in(start):
            dvc_file(start).rename(dvc_file(end))
