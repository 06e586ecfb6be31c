"""The options of the report: how much of each thing it shows."""

from __future__ import annotations

from pydantic import Field

from pipeline.core.media_card import CardOptions


class ReportOptions(CardOptions):
    """Bounds on what the page shows, so that it stays a few megabytes whatever the data."""

    gallery: int = Field(
        24, ge=0, le=64, description="Test samples shown, at most; half of them wrong ones."
    )
    films: int = Field(
        4, ge=0, le=24, description="Films shown on their time axis with what was said, at most."
    )
    sheet: int = Field(
        4, ge=0, le=12, description="Assets of each modality shown beside their augmented views."
    )
    views: int = Field(4, ge=1, le=8, description="Augmented views shown of each of them, at most.")
    rejects: int = Field(
        4, ge=0, le=50, description="Examples listed of each reason for which a row was refused."
    )
    classes: int = Field(
        40, ge=2, le=80, description="Classes in a confusion matrix; rarer ones are put together."
    )
    draws: int = Field(
        2000, ge=100, le=20000, description="Resamples of the paired bootstrap between two models."
    )
