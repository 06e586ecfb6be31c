"""The benchmark of predict on a small project."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import predict
from benchmarks.parity import ParityError


@pytest.mark.slow
def test_both_ways_come_to_the_same_or_are_not_timed(project: Path) -> None:
    measured = predict.warm(project, "image", 16, 1)
    assert measured["files"] == 16
    assert all(value > 0 for value in measured.values())
    bare, files = predict.Bare(project, "image"), predict.pictures(project, 16)
    answers = [
        {"probabilities.shape": list(zip("abc", row, strict=True))}
        for row in bare.answer(files)["shape"]
    ]
    predict.check_parity(answers, bare, files)
    share = np.nextafter(answers[3]["probabilities.shape"][1][1], np.float32(2))
    answers[3]["probabilities.shape"][1] = ("b", share)
    with pytest.raises(ParityError, match="shape: predict and its bare kernels differ"):
        predict.check_parity(answers, bare, files)


def test_the_table_says_what_is_missed() -> None:
    ways = {"one_ms": 20.0, "bare_one_ms": 10.0, "folder_ms": 10.0, "bare_folder_ms": 10.0}
    cold = {"cold_cpu_s": 2.0, "cold_wall_s": 4.0}
    told = predict.table({"model": "image", "files": 16, **ways, **cold})
    assert "| one picture, CPU ÷ bare kernels | 2 | ≤ 1.3 | **missed** |" in told
    assert "of a folder 100 a second, bare 100" in told
