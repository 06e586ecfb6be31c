"""From the figures of films to what was wanted of them, and to a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.table import Check, Results, rows_of

BEGIN, END = "<!-- films: begin -->", "<!-- films: end -->"
TITLES = {
    "ours": "this project, decoded",
    "ours_cleaned": "this project, measured and kept as JPEG",
    "pyav": "PyAV, a loop that seeks",
    "opencv_read": "OpenCV, each picture read",
    "opencv_grab": "OpenCV, each picture grabbed",
    "decord": "decord, each picture read",
    "torchcodec": "torchcodec, the moments",
}
FILM_TITLES = {"bunny": "Big Buck Bunny", "uneven": "uneven times"}


def checks(results: Results) -> list[Check]:
    """Every figure that has been promised."""
    made = []
    for film, ways in results["cpu_s"].items():
        ours = ways["ours"]
        title = FILM_TITLES[film]
        made += [
            Check(f"{title}: ours ÷ PyAV", ours / ways["pyav"], 1.15),
            Check(f"{title}: OpenCV, read ÷ ours", ways["opencv_read"] / ours, 2, False),
            Check(f"{title}: decord ÷ ours", ways["decord"] / ours, 2, False),
            Check(f"{title}: ours ÷ torchcodec", ours / ways["torchcodec"], 1),
        ]
    ten, one = results["memory"]["ten"], results["memory"]["one"]
    made.append(Check("memory, 10 minutes ÷ 1 minute", ten["peak_mb"] / one["peak_mb"], 1.1))
    whole, added = results["films"]["whole"], results["films"]["added"]
    made += [
        Check(f"1 % new films, {stage}, CPU-s", added[stage], 0.02 * whole[stage] + 1)
        for stage in whole
    ]
    return made


def text(results: Results) -> str:
    """The tables in Markdown."""
    films = results["cpu_s"]
    seconds = ", ".join(f"{FILM_TITLES[film]} {results['seconds'][film]:.0f} s" for film in films)
    head = ["way", *(f"{FILM_TITLES[film]}, CPU-s" for film in films)]
    lines = [f"| {' | '.join(head)} |", f"| {' | '.join(['---'] * len(head))} |"]
    for way, title in TITLES.items():
        cells = [title, *(f"{ways[way]:.2f}" for ways in films.values())]
        lines.append(f"| {' | '.join(cells)} |")
    memory = results["memory"]
    said = (
        f"{seconds}; median of {results['rounds']} rounds. The largest process held "
        f"{memory['one']['peak_mb']:.0f} MB for a minute in a file of "
        f"{memory['one']['file_mb']:.0f} MB, {memory['ten']['peak_mb']:.0f} for ten in "
        f"{memory['ten']['file_mb']:.0f}. {results['films']['count']} films of "
        f"{results['films']['seconds']} s, and {results['films']['more']} more."
    )
    return f"{said}\n\n{rows_of(checks(results))}\n" + "\n".join(lines) + "\n"


def update(page: Path, results: dict[str, Any]) -> None:
    """Put the tables between the marks of a page."""
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n{text(results)}{END}{after}", encoding="utf-8")
