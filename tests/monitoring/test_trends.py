from __future__ import annotations

import numpy as np
import pytest

from pipeline.monitoring.drift import Finding
from pipeline.monitoring.ledger import Look
from pipeline.monitoring.trends import drift_map, evidence_trend


def test_evidence_and_what_it_takes_are_powers_of_ten() -> None:
    looks = [
        Look("1", "frozen", "better", "t", "a", "b", 9, 0.1, 100.0, 0.001),
        Look("2", "fresh", "better", "r", "a", "c", 9, 0.1, 0.0, 0.01),
    ]
    first, second = evidence_trend(looks)
    assert (first.night, first.odds, first.needed) == ("1", 2, pytest.approx(3))
    assert (second.kind, second.odds, second.needed) == ("fresh", -300, 2)


def test_what_moved_most_is_drawn_first() -> None:
    def finding(subject: str, test: str, corrected: float) -> Finding:
        return Finding(subject, test, 9, 0.5, 0.1, corrected / 2, True, corrected)

    nights = {
        "1": [finding("calm", "chi_square", 1.0)],
        "2": [finding("moved", "classifier", 0.1), finding("moved", "discrepancy", 0.01)],
    }
    subjects, drawn = drift_map(nights)
    assert subjects == ["moved", "calm"]
    assert drawn == pytest.approx(np.array([[np.nan, -2], [0, np.nan]]), nan_ok=True)
    assert drift_map({})[0] == []
