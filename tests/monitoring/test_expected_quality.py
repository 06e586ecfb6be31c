"""Quality without labels: by presence against a sum by hand, by confidence against the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import PipelineError
from pipeline.models.metrics import class_scores
from pipeline.monitoring.expected_quality import (
    Confident,
    expected_by_confidence,
    expected_by_presence,
    subset_scores,
)

TABLE = """task,split,kind,subset,n,accuracy,macro_f1,mae,r2
kind,test,natural,a+b,90,0.8,0.99,,
kind,test,masked,a,90,0.8,0.60,,
kind,test,masked,b,90,0.8,0.50,,
kind,test,masked,a+b,90,0.8,0.70,,
kind,validation,masked,a+b,90,0.8,0.71,,
"""


def subsets(**counts: int) -> list[frozenset[str]]:
    return [frozenset(name) for name, count in counts.items() for _ in range(count)]


def test_a_missing_modality_costs_what_the_evaluation_says(tmp_path: Path) -> None:
    path = tmp_path / "subsets.csv"
    path.write_text(TABLE)
    scores = subset_scores(path, "kind", "test", "macro_f1")
    assert scores == {frozenset("a"): 0.6, frozenset("b"): 0.5, frozenset("ab"): 0.7}
    night = expected_by_presence(scores, subsets(ab=95, a=5), subsets(abc=60, a=40))
    assert night.usual == pytest.approx(0.95 * 0.7 + 0.05 * 0.6)
    assert night.expected == pytest.approx(0.6 * 0.7 + 0.4 * 0.6)
    (missing,) = night.missing
    assert (missing.modality, missing.missing, missing.usual) == ("b", 0.4, 0.05)
    assert missing.loss == pytest.approx(night.usual - night.expected)
    assert night.why == "b is missing in 40%, usually in 5%: expect 3.5 points less"
    quiet = expected_by_presence(scores, subsets(ab=9, a=1), subsets(ab=9, a=1))
    assert quiet.why.startswith("no modality is missing more than usual")
    nothing = expected_by_presence(scores, subsets(ab=1), [frozenset("c")], unseen=0.1)
    assert nothing.expected == pytest.approx(0.1)
    with pytest.raises(PipelineError, match="no macro_f1 of other"):
        subset_scores(path, "other", "test", "macro_f1")


def answers(seed: int, n: int, sharpness: float, heat: float) -> tuple[Confident, np.ndarray]:
    """Truth drawn from the very probabilities; `heat` above 1 makes what is stated too sure."""
    rng = np.random.default_rng(seed)
    logits = sharpness * rng.normal(size=(n, 4))
    right = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    truth = (right.cumsum(1) < rng.random((n, 1))).sum(1)
    stated = right**heat / (right**heat).sum(1, keepdims=True)
    return Confident(stated, stated.argmax(1), np.arange(n) // 2), truth


@pytest.mark.parametrize("heat", [1.0, 1.5])
def test_confidence_knows_how_often_it_is_right(heat: float) -> None:
    """Harder data than the reference, of a model that is well calibrated, and of one too sure."""
    reference, known = answers(0, 3000, 2.5, heat)
    tonight, truth = answers(1, 3000, 1.5, heat)
    expected = expected_by_confidence(tonight, reference, known, 200, 0)
    actual = class_scores(truth, tonight.prediction, 4)
    before = class_scores(known, reference.prediction, 4)
    assert before["macro_f1"] - actual["macro_f1"] > 0.08
    # What is too sure everywhere is corrected by as much as it was on the reference.
    tolerance = 0.02 if heat == 1 else 0.05
    assert expected.macro_f1 == pytest.approx(actual["macro_f1"], abs=tolerance)
    assert expected.accuracy == pytest.approx(actual["accuracy"], abs=tolerance)
    assert expected.low < expected.macro_f1 < expected.high
    assert (expected.overconfidence > 0.03) == (heat > 1)


def test_few_components_have_no_interval() -> None:
    reference, known = answers(0, 200, 2.0, 1.0)
    tonight, _ = answers(1, 6, 2.0, 1.0)
    expected = expected_by_confidence(tonight, reference, known, 100, 0)
    assert np.isnan([expected.low, expected.high]).all()
    assert 0 < expected.accuracy <= 1.1
