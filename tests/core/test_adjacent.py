from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from pipeline.core.adjacent import runs

BASE = np.arange(60, dtype=np.int16).reshape(5, 4, 3)
OTHER = np.ones((5, 4, 3), np.int16)


@pytest.mark.parametrize(
    ("rows", "counts"),
    [
        (list(BASE), [5]),
        ([*BASE[:2], *OTHER[2:]], [2, 3]),
        ([BASE[0], BASE[1], BASE[3], BASE[2]], [2, 1, 1]),
        ([BASE[0], BASE[0]], [1, 1]),
        ([np.zeros((4, 3)), np.zeros((4, 3))], [1, 1]),  # by chance beside each other, at most
        ([BASE[0, :1], BASE[0, 1:3], BASE[0, 3:]], [1, 1, 1]),
        ([BASE[0, :2], BASE[0, 2:]], [2]),
        ([BASE[0, :, :1], BASE[0, 1:3, 1:]], [1, 1]),
        ([BASE[0], BASE[1].view(np.uint16)], [1, 1]),
        ([BASE[:, 0], BASE[:, 1]], [1, 1]),
        ([row[:0] for row in BASE], [1] * 5),
        ([], []),
    ],
)
def test_rows_that_follow_each_other_come_together(
    rows: Sequence[np.ndarray], counts: list[int]
) -> None:
    made = list(runs(rows))
    assert [len(run) for run in made] == counts
    together = [row for run in made for row in run]
    for row, expected in zip(together, rows, strict=True):
        assert (row.dtype, row.tobytes()) == (expected.dtype, expected.tobytes())
        assert row.shape == expected.shape
        assert not row.size or np.shares_memory(row, expected)
        assert not row.flags.writeable
