"""What fusions share that have nothing to choose, or take sets of any number and width."""

from __future__ import annotations

from pipeline.core.options import Options


class NoOptions(Options):
    """There is nothing to choose."""


def any_sets(sets: int, width: int, options: Options) -> None:
    """It takes any."""
