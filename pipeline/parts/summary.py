"""What a stage did, counted in parts and rows."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.parts.job import ResourceUsage
from pipeline.parts.part import PROVISIONAL


@dataclass(frozen=True)
class Summary:
    """What a stage did. Only `rows` and `rejected` say anything about the data itself.

    `planned` parts = `reused` + `restored` (from DVC's cache) + `computed`. Of the rows of computed
    parts, `computed_rows` went through the function and `reused_rows` came from parts made before;
    `verb` says what the function does to a row.
    """

    planned: int = 0
    reused: int = 0
    restored: int = 0
    computed: int = 0
    removed: int = 0
    rows: int = 0
    rejected: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    computed_rows: int = 0
    reused_rows: int = 0
    verb: str = "computed"
    used: tuple[ResourceUsage, ...] = ()

    @property
    def provisional(self) -> int:
        """Rows that the next run tries again: no row function refused them."""
        return sum(n for reason, n in self.reasons.items() if reason in PROVISIONAL)
