"""Arrays that stand one after another in memory, as one array, so that one copy takes them all."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import groupby

import numpy as np
from numpy.lib.stride_tricks import as_strided


def runs(rows: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """Rows in their order, as arrays (count, *shape) that are read alone and copy nothing.

    Rows that follow each other in the memory of one array, of one shape and dtype, come together;
    any other comes by itself.
    """
    for _, numbered in groupby(enumerate(rows), _run):
        together = [*numbered]
        row = together[0][1]
        shape, strides = (len(together), *row.shape), (row.nbytes, *row.strides)
        yield as_strided(row, shape, strides, writeable=False)


def _run(numbered: tuple[int, np.ndarray]) -> Hashable:
    """What rows of one run share: the last is where the first of them would begin."""
    place, row = numbered
    begin = row.__array_interface__["data"][0] - place * row.nbytes
    return id(row if row.base is None else row.base), row.dtype, row.shape, row.strides, begin
