"""The page of a compressed model: its sections, each drawn by a template."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.core.folders import EVALUATION, MODELS
from pipeline.reporting.compression import sections
from pipeline.reporting.compression.sections import CompressionData
from pipeline.reporting.inputs import EvaluatedModel, ReportInputs
from pipeline.reporting.options import ReportOptions
from pipeline.reporting.overlay import overlay
from pipeline.reporting.section import Section, render_page

COPIES = Path(".pipeline", "compressed")


SECTIONS = (
    Section("certificate", "Certificate", sections.certificate),
    Section("figures", "Figures", sections.figures),
    Section("slices", "Slices", sections.slices),
    Section("changed", "Changed answers", sections.changed),
)


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
    return render_page("compression", sections.summary(data), SECTIONS, data)


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
