"""The order of batches, which is that of their names."""

from __future__ import annotations

import re


def in_order(batch: str) -> tuple[tuple[str | int, ...], str]:
    """By which the batches of a source are sorted: their names, where 10 comes after 9."""
    pieces = re.split("([0-9]+)", batch)
    return tuple(int(one) if at % 2 else one for at, one in enumerate(pieces)), batch
