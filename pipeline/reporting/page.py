"""The page: its sections, each drawn by a template."""

from __future__ import annotations

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
    films,
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
from pipeline.reporting.section import Section, build_sections

SECTIONS = (
    Section("leaderboard", "Leaderboard", leaderboard.build),
    Section("gallery", "Samples", gallery.build),
    Section("films", "Films", films.build),
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
    return (
        jinja_environment(TEMPLATES)
        .get_template("page.html")
        .render(
            opening=_data(summary.build(inputs, options)),
            **build_sections(SECTIONS, inputs, options),
            models=inputs.evaluated,
            spaces=[*retrieval.spaces(inputs)],
            modalities=inputs.modalities,
            **style_and_script(),
        )
    )


def _data(built: dict[str, Any] | Absent) -> dict[str, Any] | None:
    return None if isinstance(built, Absent) else built
