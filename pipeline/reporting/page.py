"""The page: sections, templates and the policy that keeps it from asking any other host."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline.reporting import (
    breakdown,
    calibration,
    confusion,
    contributions,
    curves,
    datacard,
    format,
    gallery,
    leaderboard,
    lineage,
    modelcards,
    refused,
    robustness,
    sheet,
    subsets,
    summary,
)
from pipeline.reporting.inputs import Absent, Inputs
from pipeline.reporting.options import Options

TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class Section:
    """One part of the page, drawn by templates/<anchor>.html from what `build` returns."""

    anchor: str
    title: str
    build: Callable[[Inputs, Options], dict[str, Any] | Absent]


SECTIONS = (
    Section("leaderboard", "Leaderboard", leaderboard.build),
    Section("gallery", "Samples", gallery.build),
    Section("confusion", "Confusion", confusion.build),
    Section("breakdown", "Classes", breakdown.build),
    Section("subsets", "Modalities", subsets.build),
    Section("contributions", "Contributions", contributions.build),
    Section("robustness", "Robustness", robustness.build),
    Section("calibration", "Calibration", calibration.build),
    Section("curves", "Curves", curves.build),
    Section("sheet", "Augmentation", sheet.build),
    Section("refused", "Rejects", refused.build),
    Section("datacard", "Data", datacard.build),
    Section("modelcards", "Models", modelcards.build),
    Section("lineage", "Lineage", lineage.build),
)


def templates() -> list[Path]:
    """The files beside the code that shape the page, and so belong to its key."""
    return sorted(path for path in TEMPLATES.iterdir() if path.is_file())


def render(inputs: Inputs, options: Options) -> str:
    """The whole page as HTML: a pure function of what it reads."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        percent=format.percent,
        points=format.points,
        count=format.count,
        size=format.size,
        listed=format.listed,
        spoken=format.spoken,
        tag=format.language_tag,
    )
    built = [(section, section.build(inputs, options)) for section in SECTIONS]
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    script = (TEMPLATES / "script.js").read_text(encoding="utf-8")
    return environment.get_template("page.html").render(
        opening=_data(summary.build(inputs, options)),
        sections=[(s, data) for s, data in built if not isinstance(data, Absent)],
        left_out=[(s, data.note) for s, data in built if isinstance(data, Absent)],
        models=inputs.evaluated,
        modalities=inputs.modalities,
        style=Markup(style),
        script=Markup(script),
        policy=policy(style, script),
    )


def policy(style: str, script: str) -> str:
    """A Content-Security-Policy that lets in this style, this script and data: URIs alone."""
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "img-src data:; media-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _data(built: dict[str, Any] | Absent) -> dict[str, Any] | None:
    return None if isinstance(built, Absent) else built
