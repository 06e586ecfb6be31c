"""The page of a compressed model: its sections, each drawn by a template."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.folders import EVALUATION, MODELS
from pipeline.reporting.compression import sections
from pipeline.reporting.compression.sections import CompressionData
from pipeline.reporting.inputs import Absent, EvaluatedModel, ReportInputs
from pipeline.reporting.options import ReportOptions
from pipeline.reporting.overlay import overlay
from pipeline.reporting.page_assets import TEMPLATES, jinja_environment, style_and_script

HERE = TEMPLATES / "compression"
COPIES = Path(".pipeline", "compressed")


@dataclass(frozen=True)
class CompressionSection:
    """One part of the page, drawn by templates/compression/<anchor>.html."""

    anchor: str
    title: str
    build: Callable[[CompressionData], dict[str, Any] | Absent]


SECTIONS = (
    CompressionSection("certificate", "Certificate", sections.certificate),
    CompressionSection("figures", "Figures", sections.figures),
    CompressionSection("slices", "Slices", sections.slices),
    CompressionSection("changed", "Changed answers", sections.changed),
)


def compression_templates() -> list[Path]:
    """The files beside the code that shape the page, and so belong to its key."""
    shared = [TEMPLATES / name for name in ("page.html", "macros.html", "style.css", "script.js")]
    return [*shared, *sorted(HERE.iterdir())]


def render_compression(
    name: str, folder: Path, inputs: ReportInputs, options: ReportOptions
) -> str:
    """The whole page as HTML: a pure function of what the folder holds and the inputs say."""
    certificate = sections.read_certificate(folder)
    model = certificate["model"]
    data = CompressionData(
        certificate=certificate,
        compressed=EvaluatedModel(name, folder, folder, inputs.modalities),
        model=EvaluatedModel(
            model,
            inputs.root / MODELS / model,
            inputs.root / EVALUATION / model,
            inputs.modalities,
        ),
        inputs=inputs,
        options=options,
    )
    built = [(section, section.build(data)) for section in SECTIONS]
    return (
        jinja_environment(HERE, TEMPLATES)
        .get_template("compression.html")
        .render(
            opening=sections.summary(data),
            sections=[(s, each) for s, each in built if not isinstance(each, Absent)],
            left_out=[(s, each.note) for s, each in built if isinstance(each, Absent)],
            **style_and_script(HERE / "compression.css"),
        )
    )


def dated_copy(name: str, page: str, costs: Mapping[str, Mapping[str, float]]) -> Path:
    """Write the page with what both models cost on this machine to .pipeline/compressed/."""
    before, after = costs["model"], costs["compressed"]
    banner = {
        "One sample, from features": f"{after['one_ms']:.3f} ms, before {before['one_ms']:.3f}",
        "Samples a second": f"{after['samples_per_second']:,.0f}, "
        f"before {before['samples_per_second']:,.0f}",
        "Memory": f"{after['peak_mb']:.0f} MB, before {before['peak_mb']:.0f}",
        "From start to first answer": f"{after['cold_s']:.2f} s, before {before['cold_s']:.2f}",
    }
    path = COPIES / f"{name}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(overlay(page, banner), encoding="utf-8")
    return path
