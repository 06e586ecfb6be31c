"""The two kinds of bad news: a mistake the user can mend, and a row that does not go through."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.core.failure_log import Raised


class PipelineError(Exception):
    """A mistake that the user can mend. The command prints the message without a traceback.

    Say what is wrong, where, and what to do about it.
    """


class Rejected(Exception):
    """Raised by row functions: this row does not go on, and here is why.

    Parameters
    ----------
    reason:
        A stable code in snake_case, counted and grouped by (`truncated`, `too_small`, …).
    message:
        One sentence for a person, made from a template: no library text, no absolute path, no
        time, because rejects are versioned and must come out the same everywhere.
    """

    # What the row function raised where it did not refuse the row itself: for the log alone.
    raised: Raised | None = None

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The sentence for a name that does not exist, listing those that do."""
    listed = ", ".join(sorted(known)) or "none"
    return f"unknown {what} '{name}'; there are: {listed}"
