"""The page: its sections, each drawn by a template."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.reporting import (
    augmentations,
    breakdown,
    calibration,
    confusion,
    contributions,
    curves,
    datacard,
    gallery,
    leaderboard,
    lineage,
    modelcards,
    rejects,
    retrieval,
    robustness,
    subsets,
    summary,
)
from pipeline.reporting.inputs import Absent, ReportInputs
from pipeline.reporting.options import ReportOptions
from pipeline.reporting.page_assets import TEMPLATES, jinja_environment, style_and_script


@dataclass(frozen=True)
class Section:
    """One part of the page, drawn by templates/<anchor>.html from what `build` returns."""

    anchor: str
    title: str
    build: Callable[[ReportInputs, ReportOptions], dict[str, Any] | Absent]


SECTIONS = (
    Section("leaderboard", "Leaderboard", leaderboard.build),
    Section("gallery", "Samples", gallery.build),
    Section("confusion", "Confusion", confusion.build),
    Section("breakdown", "Classes", breakdown.build),
    Section("subsets", "Modalities", subsets.build),
    Section("contributions", "Contributions", contributions.build),
    Section("robustness", "Robustness", robustness.build),
    Section("calibration", "Calibration", calibration.build),
    Section("retrieval", "Retrieval", retrieval.build),
    Section("curves", "Curves", curves.build),
    Section("sheet", "Augmentation", augmentations.build),
    Section("refused", "Rejects", rejects.build),
    Section("datacard", "Data", datacard.build),
    Section("modelcards", "Models", modelcards.build),
    Section("lineage", "Lineage", lineage.build),
)


def templates() -> list[Path]:
    """The files beside the code that shape the page, and so belong to its key."""
    return sorted(path for path in TEMPLATES.iterdir() if path.is_file())


def render(inputs: ReportInputs, options: ReportOptions) -> str:
    """The whole page as HTML: a pure function of what it reads."""
    built = [(section, section.build(inputs, options)) for section in SECTIONS]
    return (
        jinja_environment(TEMPLATES)
        .get_template("page.html")
        .render(
            opening=_data(summary.build(inputs, options)),
            sections=[(s, data) for s, data in built if not isinstance(data, Absent)],
            left_out=[(s, data.note) for s, data in built if isinstance(data, Absent)],
            models=inputs.evaluated,
            spaces=[*retrieval.spaces(inputs)],
            modalities=inputs.modalities,
            **style_and_script(),
        )
    )


def _data(built: dict[str, Any] | Absent) -> dict[str, Any] | None:
    return None if isinstance(built, Absent) else built
