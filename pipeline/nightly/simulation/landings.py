"""A batch cut into what lands each night, whole or spoilt."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.core import spans
from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_bytes, digest_file
from pipeline.core.folders import DATA, RAW
from pipeline.core.randomness import generator
from pipeline.core.records import Inline, Sample
from pipeline.nightly.simulation import faults
from pipeline.nightly.simulation.faults import Fault
from pipeline.params import Params
from pipeline.raw.folders import LocalFolder
from pipeline.raw.media_types import inline_types
from pipeline.sources import source_of
from pipeline.sources.folder import FILE_NAME

TABLE = "metadata.csv"
# Of all samples, what lands in the first night: a model needs some to begin with.
FIRST = 0.4
# Samples, or groups of them, that a night takes at least.
LEAST = 10

Row = Mapping[str, str]


@dataclass(frozen=True)
class Piece:
    """What must land together: samples of one group, or that share files, as rows of a table."""

    rows: tuple[Row, ...]
    label: str

    @property
    def files(self) -> set[str]:
        """Paths below the batch that they name."""
        cells = (row.items() for row in self.rows)
        named = (cell for row in cells for name, cell in row if name.endswith(FILE_NAME) and cell)
        return {spans.split(cell, spans.PATH)[0] for cell in named}


def largest_batch(source: str) -> Path:
    """The folder of a source's batch with the most files; PipelineError if it has none here."""
    folders = [path for path in Path(DATA, RAW, source).glob("[!.]*") if path.is_dir()]
    if not folders:
        raise PipelineError(f"{source} has no batch here that could be cut into nights")
    return max(sorted(folders), key=lambda path: sum(1 for _ in path.rglob("*")))


def samples_of(params: Params, source: str, folder: Path) -> Sequence[Sample]:
    """What a source makes of a batch."""
    section = params.sources[source]
    return source_of(section.kind).scan(LocalFolder(folder), section.options).samples


def pieces_of(samples: Sequence[Sample], target: str) -> list[Piece]:
    """Samples as rows of a table by piece, whatever kind of source they are of.

    Parameters
    ----------
    target:
        Of which the label of a piece is: that of its first sample.
    """
    return [
        Piece(tuple(map(_row, together)), str((together[0].targets or {}).get(target) or ""))
        for together in _connected(samples)
    ]


def cut(
    pieces: Sequence[Piece], nights: Sequence[Fault], seed: int, share: float = 1.0
) -> list[list[Piece]]:
    """The pieces of each night.

    Parameters
    ----------
    share:
        How much of the pieces lands at all, 0 to 1.

    Raises
    ------
    PipelineError
        They are too few.
    """
    order = generator(seed, "nights", "samples").permutation(len(pieces))
    chosen = [pieces[place] for place in order[: round(share * len(pieces))]]
    if len(chosen) < LEAST * len(nights):
        raise PipelineError(
            f"there are {len(chosen)} samples or groups of them; {len(nights)} nights take at "
            f"least {LEAST * len(nights)}"
        )
    landing = [n for n, each in enumerate(nights) if each.name not in ("nothing", "duplicate")]
    first = round(FIRST * len(chosen))
    landed, rest = {landing[0]: chosen[:first]}, chosen[first:]
    sizes = [len(part) for part in np.array_split(np.arange(len(rest)), max(len(landing) - 1, 1))]
    # Who takes one class alone chooses before the others.
    for n, size in sorted(
        zip(landing[1:], sizes, strict=False), key=lambda night: nights[night[0]] != faults.DRIFTED
    ):
        if nights[n] == faults.DRIFTED:
            landed[n], rest = _of_one_class(rest, size)
        else:
            landed[n], rest = rest[:size], rest[size:]
    return [landed.get(n, []) for n in range(len(nights))]


def put_landing(
    batch: Path,
    pieces: Sequence[Piece],
    fault: Fault,
    place: Path,
    target: str,
    seed: int,
) -> set[tuple[str, str]]:
    """Let pieces of a batch land in a new folder, spoilt as the fault says.

    Returns
    -------
    The modality and the digest of each content that lands.
    """
    place.mkdir(parents=True)
    spoilt = _poisoned(pieces, target, seed) if fault == faults.POISONED else pieces
    rows = [dict(row) for piece in spoilt for row in piece.rows]
    if fault == faults.MISSING:
        columns = (name for row in rows for name in row if name.endswith(FILE_NAME))
        ((column, _),) = Counter(columns).most_common(1)
        rows = [{**row, column: ""} for row in rows]
    if fault == faults.SCHEMA:
        rows = [{(f"{k}_new" if k == target else k): v for k, v in row.items()} for row in rows]
    for path in sorted(Piece(tuple(rows), "").files):
        copy = place / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(batch / path, copy)
        if fault == faults.CORRUPT:
            data = copy.read_bytes()
            copy.write_bytes(data[: len(data) // 3])
    header = list(dict.fromkeys(name for row in rows for name in row))
    with (place / TABLE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, header, restval="")
        writer.writeheader()
        writer.writerows(rows)
    (place / "_SUCCESS").touch()
    return {asset for row in rows for asset in _assets(place, row)}


def _of_one_class(pieces: Sequence[Piece], count: int) -> tuple[list[Piece], list[Piece]]:
    """So many pieces of the class that most are of, and the others as they stand."""
    ((label, _),) = Counter(piece.label for piece in pieces).most_common(1)
    order = sorted(range(len(pieces)), key=lambda place: pieces[place].label != label)
    taken = {*order[:count]}
    return [pieces[n] for n in sorted(taken)], [p for n, p in enumerate(pieces) if n not in taken]


def _poisoned(pieces: Sequence[Piece], target: str, seed: int) -> list[Piece]:
    """Each piece with the label of another: shares of classes stay, what they mean does not."""
    order = generator(seed, "nights", "poison").permutation(len(pieces))
    return [
        Piece(tuple({**row, target: pieces[other].label} for row in piece.rows), piece.label)
        for piece, other in zip(pieces, order, strict=True)
    ]


def _row(sample: Sample) -> Row:
    """A sample as `sources.folder` reads it again."""
    row = {"sample_id": sample.sample_id, "group": sample.group or ""}
    if sample.split_given:
        row["split"] = sample.split_given
    for modality, asset in sample.assets.items():
        if isinstance(asset, Inline):
            row[modality] = asset.data.decode("utf-8", "replace")
        else:
            row[f"{modality}_{FILE_NAME}"] = asset
    told = {**(sample.targets or {}), **(sample.attributes or {})}
    return row | {name: "" if value is None else str(value) for name, value in told.items()}


def _assets(place: Path, row: Row) -> Iterator[tuple[str, str]]:
    for name, cell in row.items():
        if cell and name.endswith(FILE_NAME):
            path, span = spans.split(cell, spans.PATH)
            of_file = digest_file(place / path)
            yield name.removesuffix(f"_{FILE_NAME}"), spans.digest(of_file, span)
        elif cell and name in inline_types():
            yield name, digest_bytes(cell.encode())


def _connected(samples: Sequence[Sample]) -> Iterator[list[Sample]]:
    """Samples of a group, or that share files, land together."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = name = parent[parent[name]]
        return name

    firsts = []
    for sample in samples:
        names = [f"file {asset}" for asset in sample.assets.values() if isinstance(asset, str)]
        names.append(f"group {sample.group}" if sample.group else f"sample {sample.sample_id}")
        for name in names:
            parent[root(name)] = root(names[-1])
        firsts.append(names[-1])
    together: dict[str, list[Sample]] = {}
    for sample, first in zip(samples, firsts, strict=True):
        together.setdefault(root(first), []).append(sample)
    yield from together.values()
