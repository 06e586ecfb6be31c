"""From the figures of training's batches to what was wanted of them, and to a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.table import Check, Results, rows_of

BEGIN, END = "<!-- training: begin -->", "<!-- training: end -->"


def checks(results: Results) -> list[Check]:
    """Every figure that has been promised."""
    ways = results["ways"]
    ours = ways["ours"]
    return [
        Check("an epoch's share of waiting for data, %", ours["wait"] * 100, 5),
        *(
            Check(f"examples/s ÷ {way}", ours["examples_per_second"] / one["examples_per_second"],
                  1, False)
            for way, one in ways.items()
            if way != "ours"
        ),
    ]  # fmt: skip


def text(results: Results) -> str:
    """The tables in Markdown."""
    lines = ["| batches | examples/s | waiting |", "| --- | --- | --- |"]
    for way, one in results["ways"].items():
        lines.append(f"| {way} | {one['examples_per_second']:,.0f} | {one['wait']:.1%} |")
    said = f"{results['samples']:,} samples; median of {results['rounds']} rounds."
    return f"{said}\n\n{rows_of(checks(results))}\n" + "\n".join(lines) + "\n"


def update(page: Path, results: dict[str, Any]) -> None:
    """Put the tables between the marks of a page."""
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n{text(results)}{END}{after}", encoding="utf-8")
