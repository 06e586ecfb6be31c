"""What is read at once: one file of the project, of DVC's cache or of a remote."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Unit:
    """A file that is looked at.

    Parameters
    ----------
    place:
        The output, or whatever else it is counted under.
    check:
        Reads every byte and says what is wrong; empty if nothing is.
    mend:
        Says what it did to mend the file; empty if it could do nothing.
    """

    place: str
    name: str
    bytes: int
    check: Callable[[], str]
    mend: Callable[[], str]
