"""From results.json to ratios, to what was wanted of them, and to the tables of a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Results = Mapping[str, Any]

BEGIN, END = "<!-- benchmark: begin -->", "<!-- benchmark: end -->"
TITLES = {
    "loop": "plain loop, our kernels",
    "pool": "multiprocessing pool, our kernels",
    "datasets_map": "Hugging Face datasets.map, our kernels",
    "daft": "Daft, our kernels",
    "ray_data_tuned": "Ray Data, tuned, our kernels",
    "ray_data_docs": "Ray Data as documented, torch and librosa",
}
# Those that this project may not be slower than.
EQUALS = ("loop", "pool", "datasets_map", "daft")
# The one that works on half of the files.
APART = "ray_data_docs"


@dataclass(frozen=True)
class Check:
    """A figure and the bound that it should keep."""

    what: str
    measured: float
    bound: float
    at_most: bool = True

    @property
    def met(self) -> bool:
        kept = self.measured <= self.bound if self.at_most else self.measured >= self.bound
        return kept

    @property
    def wanted(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.bound:.4g}"


def total(spent: Mapping[str, Mapping[str, float]], field: str = "cpu_s") -> float:
    """Seconds over all stages."""
    return sum(stage[field] for stage in spent.values())


def limit(results: Results, batch: str) -> float:
    """CPU seconds of the bare kernels, without imports and loading."""
    spent = results["limit"][batch]
    return float(spent["image"] + spent["audio"])


def ray_line(results: Results) -> tuple[float, float]:
    """CPU seconds that Ray adds whatever the work, and the slope over the limit.

    The former is what the smallest batch costs beyond the same without Ray; the latter that of the
    line through the smallest and the largest.
    """
    small, large = (limit(results, batch) for batch in ("few", "ten"))
    low, high = (total(results["ray"][batch]) for batch in ("few", "ten"))
    slope = (high - low) / (large - small)
    return low - total(results["serial"]["few"]), slope


def checks(results: Results) -> list[Check]:
    """Every figure that the project has promised."""
    stamps, ten, half = (total(results["processes"][b]) for b in ("stamps", "ten", "half"))
    peers = {name: spent["cpu_s"] for name, spent in results["peers"].items()}
    fixed, slope = ray_line(results)
    best = min(peers[name] for name in EQUALS)
    added, comment = results["added"], results["comment"]
    working = sum(stage["computed"] > 0 for stage in added["stages"].values())
    of_stages = [stage["cpu_s"] for stage in comment["stages"].values()]
    return [
        Check("processes ÷ limit, the stamps", stamps / limit(results, "stamps"), 1.2),
        Check("processes ÷ limit, ten variants", ten / limit(results, "ten"), 1.1),
        Check("Ray, fixed CPU-s", fixed, 5),
        Check("Ray, marginal ÷ limit", slope, 1.1),
        Check("Ray Data as documented ÷ processes", peers["ray_data_docs"] / half, 8, False),
        Check("Ray Data, tuned ÷ processes", peers["ray_data_tuned"] / stamps, 2, False),
        Check("processes ÷ best of the other peers", stamps / best, 1.05),
        Check("1 % new rows, CPU-s", total(added["stages"]), 0.02 * ten + working),
        Check("comment edit, dearest stage, CPU-s", max(of_stages), 0.4),
        Check(
            "comment edit, parts computed",
            sum(stage["computed"] for stage in comment["stages"].values()),
            0,
        ),
    ]


def jobs(results: Results) -> list[tuple[str, str, float, float, float]]:
    """(job, batch, CPU-s, wall s, CPU ÷ that of our processes on the same batch)."""
    ours = {batch: total(spent) for batch, spent in results["processes"].items()}
    found = []
    for batch in ("stamps", "ten"):
        bare = limit(results, batch)
        found.append(("limit: bare kernels, one thread", batch, bare, bare, bare / ours[batch]))
        for executor in ("processes", "ray"):
            spent = results[executor][batch]
            cpu_s, wall_s = total(spent), total(spent, "wall_s")
            found.append((f"this project, {executor}", batch, cpu_s, wall_s, cpu_s / ours[batch]))
        if batch == "stamps":
            found += [_peer(results, name, batch, ours) for name in TITLES if name != APART]
    half = results["processes"]["half"]
    found.append(("this project, processes", "half", total(half), total(half, "wall_s"), 1.0))
    return [*found, _peer(results, APART, "half", ours)]


def _peer(
    results: Results, name: str, batch: str, ours: Mapping[str, float]
) -> tuple[str, str, float, float, float]:
    spent = results["peers"][name]
    return TITLES[name], batch, spent["cpu_s"], spent["wall_s"], spent["cpu_s"] / ours[batch]


def text(results: Results) -> str:
    """The tables in Markdown."""
    made = [
        rows_of(checks(results)),
        _table(
            ("job", "files", "CPU-s", "wall s", "CPU ÷ processes"),
            (
                (name, batch, f"{cpu:.1f}", f"{wall:.1f}", f"{ratio:.2f}")
                for name, batch, cpu, wall, ratio in jobs(results)
            ),
        ),
        _table(
            ("files", "pictures", "recordings"),
            ((b, str(n["image"]), str(n["audio"])) for b, n in results["files"].items()),
        ),
    ]
    machine = results["machine"]
    where = f"{machine['cores']} cores, {machine['processor']}, Python {machine['python']}"
    return f"{where}; {results['minutes']:.1f} minutes in all.\n\n" + "\n".join(made)


def rows_of(found: Iterable[Check]) -> str:
    """Figures beside what was wanted of them."""
    return _table(
        ("figure", "measured", "wanted", ""),
        ((c.what, f"{c.measured:.3g}", c.wanted, "met" if c.met else "**missed**") for c in found),
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def update(page: Path, results: Results) -> None:
    """Put the tables between the marks of a page."""
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n{text(results)}{END}{after}", encoding="utf-8")
