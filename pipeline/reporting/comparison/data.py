"""What the page of the comparison is made of, and who is best of each kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipeline.models.comparison.candidate import CHOICE
from pipeline.reporting.inputs import ReportInputs
from pipeline.reporting.options import ReportOptions

Row = Mapping[str, Any]


@dataclass(frozen=True)
class ComparisonData:
    """The comparison's tables, as pipeline.stages.work.compare names them, and how it was made.

    Parameters
    ----------
    summary:
        As pipeline.stages.work.compare makes it.
    inputs:
        Where the samples are that the page shows.
    confidence:
        Mass of the intervals, 0 to 1.
    """

    summary: Mapping[str, Any]
    tables: Mapping[str, Sequence[Row]]
    inputs: ReportInputs
    folds: int
    seeds: int
    confidence: float
    options: ReportOptions

    @cached_property
    def kinds(self) -> dict[str, str]:
        """Model → kind, the best model first."""
        return {row["model"]: row["kind"] for row in self.tables["leaderboard"]}

    @cached_property
    def scores(self) -> dict[str, Row]:
        """Model → its row of the leaderboard."""
        return {row["model"]: row for row in self.tables["leaderboard"]}

    def best(self, kind: str) -> str | None:
        """The model of a kind that scores best."""
        return next((name for name, model_kind in self.kinds.items() if model_kind == kind), None)

    def mark(self, model: str) -> str:
        """The CSS class of the fusion that is chosen and of the best single modality."""
        if self.kinds[model] == CHOICE:
            return "fusion"
        return "single" if model == self.best("single") else ""
