"""From the figures of the store to what was wanted of them, and to the tables of a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.table import Check, Results, rows_of

BEGIN, END = "<!-- store: begin -->", "<!-- store: end -->"


def checks(results: Results) -> list[Check]:
    """Every figure that the store has promised."""
    jobs = results["jobs"]

    def ratio(job: str, over: str, under: str = "ours") -> float:
        return float(jobs[job][over]["seconds"] / jobs[job][under]["seconds"])

    load = jobs["load"]["ours"]
    approximate = jobs["approximate"]["ours"]["seconds"] / jobs["nearest"]["ours"]["seconds"]
    revision, count, diff = results["revision"], results["count"], results["diff"]
    return [
        Check("load all ÷ copying a memmap", ratio("load", "ours", "memmap copy"), 1.3),
        Check("load all: pyarrow.dataset ÷ ours", ratio("load", "pyarrow.dataset"), 4, False),
        Check("load 16 % by two columns: Lance ÷ ours", ratio("filter", "lance"), 2, False),
        Check("1 id of the million, warm, ms", jobs["1 id"]["ours"]["seconds"] * 1000, 2),
        Check("1 id, cold ÷ Lance", ratio("1 id, cold", "ours", "lance"), 1.5),
        Check("100 ids: Lance ÷ ours", ratio("100 ids", "lance"), 1, False),
        Check("10,000 ids: Lance ÷ ours", ratio("10000 ids", "lance"), 1, False),
        Check("join of three: DuckDB ÷ ours", ratio("join", "duckdb"), 4, False),
        Check("append of 1 %: growth of the cache, %", results["append"]["grown"] * 100, 1.1),
        Check("append of 1 %: old files touched", results["append"]["touched"], 0),
        Check("a revision ÷ copying a memmap", revision["ours"] / revision["memmap copy"], 1.3),
        Check("count at a revision: DVCFileSystem ÷ ours", count["DVCFileSystem"] / count["ours"],
              3, False),
        Check("diff of files: dvc diff ÷ ours", diff["dvc diff"] / diff["ours, files"], 20, False),
        Check("exact top 10 ÷ the bare product", ratio("nearest", "ours", "bare product"), 1.5),
        Check("approximate ÷ exact top 10", approximate, 0.1),
        Check("opening and describing, CPU-s", results["opening"]["cpu_s"], 0.5),
        Check("a load's memory ÷ its result", load["peak"] / load["bytes"], 1.1),
    ]  # fmt: skip


def text(results: Results) -> str:
    """The tables in Markdown."""
    made = rows_of(checks(results))
    lines = ["| job | way | ms |", "| --- | --- | --- |"]
    for job, ways in results["jobs"].items():
        lines += [f"| {job} | {w} | {one['seconds'] * 1000:.4g} |" for w, one in ways.items()]
    sizes = ", ".join(
        f"{name}: {one['rows']:,} of {one['width']}" for name, one in results["sets"].items()
    )
    return f"{sizes}; median of {results['rounds']} rounds.\n\n{made}\n" + "\n".join(lines) + "\n"


def update(page: Path, results: dict[str, Any]) -> None:
    """Put the tables between the marks of a page."""
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n{text(results)}{END}{after}", encoding="utf-8")
