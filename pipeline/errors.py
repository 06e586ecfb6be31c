"""The two kinds of bad news: a mistake the user can mend, and a row that does not go through."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.failures import Raised


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


def raise_trouble(stage: str, error: Exception) -> None:
    """Raise what is no fault of a row: a mistake of the user, or a machine that fell short.

    A row refused for want of memory would stay refused on a machine that has it.

    Raises
    ------
    PipelineError
        `error` is one, or says that memory, a file or an accelerator failed.
    """
    if isinstance(error, PipelineError):
        raise error
    # OpenCV says -4 for want of memory; the names are torch's, which need not be loaded here.
    short = type(error).__name__ in ("OutOfMemoryError", "AcceleratorError")
    if (
        short
        or isinstance(error, MemoryError | OSError | ImportError)
        or getattr(error, "code", None) == -4
    ):
        raise PipelineError(
            f"{stage}: this machine fell short ({type(error).__name__}: {error}). Finished parts "
            f"stand; free memory or use fewer workers, and run again."
        ) from error
