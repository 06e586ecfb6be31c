"""Big Buck Bunny (CC-BY 3.0, Blender Foundation) in shots, out of PyPI's `moviepy` 2.2.1.

A batch holds `bbb.mp4`, the whole film of 596 s, and `shots.csv`: for each shot its `start` and
`end` in seconds, its `scene`, and what two people saw in it (`seen`, `action`, `mood`, each with 1
and 2 behind the name). A shot has a target where both saw the same.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import ClassVar

from pipeline.core import spans
from pipeline.core.errors import Rejected
from pipeline.core.options import Options as Base
from pipeline.core.records import Refusal, Sample, Scan
from pipeline.raw.folders import Folder
from pipeline.raw.table_file import TableRow, read
from pipeline.sources import _packages
from pipeline.sources._archives import unpack
from pipeline.sources._packages import Package

LICENCE = "CC-BY-3.0"
FILM, SHOTS = "bbb.mp4", "shots.csv"
TARGETS = ("seen", "action", "mood")
COLUMNS = {"shot", "start", "end", "scene", *(f"{name}{i}" for name in TARGETS for i in (1, 2))}
# In the package lies another one, which brings the film.
INNER = "moviepy_10_minutes.zip"
OUTER = f"moviepy-2.2.1/docs/_static/medias/getting_started/moviepy_10_minutes/{INNER}"
INSIDE = f"moviepy_10_minutes/resources/{FILM}"


class Options(Base):
    """A batch of shots leaves nothing to choose."""


class FetchOptions(_packages.FetchOptions):
    """Which version of the package."""

    PACKAGES: ClassVar = {"moviepy": Package("pip", {OUTER: ""})}


def fetch(folder: Path, options: FetchOptions) -> bool:
    """Put the film and its shots at <folder>/<version>; see `_packages.fetch`."""
    return _packages.fetch(folder, options, _take_film)


def _take_film(tree: Path) -> None:
    unpack(tree / INNER, {INSIDE: ""}, tree)
    labels = files("pipeline") / "recipes" / "film" / SHOTS
    (tree / SHOTS).write_bytes(labels.read_bytes())
    _packages.keep(tree, {FILM, SHOTS})


def scan(folder: Folder, options: Options) -> Scan:
    """A sample for every shot: its pictures, its middle and its sound; its group is the scene."""
    if SHOTS not in folder.listing.files:
        return Scan([])
    try:
        table = read(SHOTS, folder.read(SHOTS))
        if lacking := COLUMNS - {*table.columns}:
            listed = ", ".join(sorted(lacking))
            raise Rejected("missing_column", f"there is no column {listed}")
    except Rejected as reject:
        return Scan([], [Refusal("file", SHOTS, reject.reason, reject.message)], [SHOTS])
    samples, refused = [], []
    for row in table.rows:
        try:
            samples.append(_sample(row))
        except Rejected as reject:
            message = f"{SHOTS}, line {row.number}: {reject.message}"
            refused.append(Refusal("row", f"{SHOTS}:{row.number}", reject.reason, message))
    return Scan(samples, refused, [SHOTS])


def _sample(row: TableRow) -> Sample:
    if row.problem:
        raise Rejected("bad_row", row.problem)
    cells = {column: str(row.cells.get(column) or "") for column in COLUMNS}
    try:
        span = spans.Span(*(spans.milliseconds(cells[name]) for name in ("start", "end")))
    except ValueError as error:
        raise Rejected("bad_span", f"columns start and end: {error}") from None
    if not 0 <= span.start < span.end:
        raise Rejected(
            "bad_span", f"it would begin at {cells['start']} s and end at {cells['end']} s"
        )
    shot = spans.join(FILM, spans.PATH, span)
    return Sample(
        sample_id=cells["shot"],
        group=cells["scene"],
        assets={"image": shot, "audio": shot, "video": shot},
        licence=LICENCE,
        targets={name: _agreed(cells, name) for name in TARGETS},
        attributes={"scene": cells["scene"]},
    )


def _agreed(cells: dict[str, str], target: str) -> str | None:
    first, second = cells[f"{target}1"], cells[f"{target}2"]
    return first if first and first == second else None
