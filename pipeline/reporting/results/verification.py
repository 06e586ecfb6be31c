"""Each verification's systems, by the equal error rate, and what its threshold costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.reporting.format import count, percent
from pipeline.reporting.results.table import DASH, difference, estimate, markdown_table
from pipeline.reporting.verification.sections import VerificationData


def verification_tables(folder: Path) -> Iterator[str]:
    """A table for each verification and each number of samples by which people are known."""
    for out in sorted(path.parent for path in folder.glob("*/figures.csv")):
        data = VerificationData(out.name, out)
        kinds = list(dict.fromkeys(kind for _, kind in data.kinds))
        mass = f"{100 * data.protocol['options']['confidence']:g} %"
        for enrolled in dict.fromkeys(n for n, _ in data.kinds):
            rows = [
                [
                    f"`{name}`",
                    data.made(name),
                    *(_cell(data.figures.get((name, enrolled, kind)), "eer") for kind in kinds),
                    difference(figures.get("eer_more")),
                    *(_cell(figures, figure) for figure in ("miss", "false_acceptance", "cllr")),
                ]
                for (name, *rest), figures in data.figures.items()
                if rest == [enrolled, kinds[0]]
            ]
            heads = ["system", "scores", *(f"EER, {kind}, %" for kind in kinds)]
            heads.append(f"points to `{data.answers}`")
            heads += ["own refused, %", "others accepted, %", "Cllr, bits"]
            yield (
                f"**{out.name}**, {count(data.protocol['people'])} people, each known by "
                f"{enrolled} of their samples; {mass} intervals by resampling people.\n\n"
                + markdown_table(heads, rows)
            )


def _cell(figures: Mapping[str, Any] | None, name: str) -> str:
    """A figure with its interval; Cllr is no share."""
    if figures is None:
        return DASH
    value, low, high = (figures[name][end] for end in ("value", "low", "high"))
    return estimate("{:.2f}".format if name == "cllr" else percent, value, low, high)
