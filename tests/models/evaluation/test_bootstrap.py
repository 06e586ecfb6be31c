from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest

from pipeline.core.randomness import generator
from pipeline.models.evaluation import bootstrap
from pipeline.models.evaluation.answers import Answers
from pipeline.models.evaluation.bootstrap import (
    Resamples,
    interval,
    replicates,
    resample,
    resampled_tallies,
)
from pipeline.models.evaluation.figures import all_metrics
from pipeline.models.evaluation.options import EvaluationOptions
from pipeline.models.evaluation.scorer import Scorer
from pipeline.models.metrics import (
    SCORES,
    bin_of,
    calibration,
    calibration_error,
    scores,
    tally,
)


def answers(n: int, components: int, classes: int):
    rng = np.random.default_rng(3)
    component = np.sort(rng.integers(0, components, n))
    component[:components] = np.arange(components)
    truth = component % classes
    prediction = np.where(rng.random(n) < 0.6, truth, rng.integers(0, classes, n))
    return component, truth, prediction, rng.random(n).astype(np.float32)


def test_replicates_equal_a_plain_loop():
    component, truth, prediction, confidence = answers(90, 12, 4)
    counts = resample(np.random.default_rng(1), 12, 30)
    result = replicates(
        counts, component, truth, prediction, bin_of(confidence, 15), confidence, 4, 15
    )
    assert set(result) == {*SCORES, "ece"}
    for i, drawn in enumerate(counts.astype(int)):
        rows = np.concatenate(
            [np.flatnonzero(component == c) for c in range(12) for _ in range(drawn[c])]
        )
        expected = scores(truth[rows], prediction[rows])
        sums = calibration(confidence[rows], (truth == prediction)[rows], 15)
        expected["ece"] = float(calibration_error(sums))
        assert {name: float(result[name][i]) for name in result} == pytest.approx(expected)


def test_tallies_are_those_of_the_rows_that_each_resample_draws():
    component, truth, prediction, _ = answers(90, 12, 4)
    counts = resample(np.random.default_rng(1), 12, 30)
    result = resampled_tallies(counts, component, truth, prediction, 5)
    for i, drawn in enumerate(counts.astype(int)):
        rows = np.repeat(np.arange(90), drawn[component])
        assert np.array_equal(result[i], tally(truth[rows], prediction[rows], 5))
    known = resampled_tallies(counts, component, truth, prediction, 5, support=result[:, 1])
    assert np.array_equal(known, result)


def test_a_resample_draws_as_many_components_as_there_are():
    counts = resample(np.random.default_rng(0), 7, 500)
    assert counts.shape == (500, 7)
    assert (counts.sum(1) == 7).all()
    np.testing.assert_allclose(counts.mean(0), 1, atol=0.15)


def test_interval_is_of_percentiles():
    assert interval(np.arange(1001.0), 0.95) == pytest.approx((25, 975))


def test_dependent_samples_widen_the_interval():
    component, truth, prediction, confidence = answers(400, 20, 4)
    prediction = np.where(component % 2 == 0, truth, (truth + 1) % 4)  # all right or all wrong
    widths = []
    for members in (component, np.arange(400)):
        counts = resample(generator(0, "test"), members.max() + 1, 500)
        result = replicates(
            counts, members, truth, prediction, bin_of(confidence, 15), confidence, 4, 15
        )
        low, high = interval(result["accuracy"], 0.95)
        widths.append(high - low)
    assert widths[0] > 2 * widths[1]


def test_it_is_quick():
    component, truth, prediction, confidence = answers(1500, 150, 60)
    began = time.process_time()
    counts = resample(generator(0, "test"), 150, 1000)
    replicates(counts, component, truth, prediction, bin_of(confidence, 15), confidence, 60, 15)
    assert time.process_time() - began < 2


def test_blocks_are_cut_from_the_one_drawing(monkeypatch):
    monkeypatch.setattr(bootstrap, "LARGEST", 100)
    whole = resample(np.random.default_rng(4), 12, 31)
    blocks = Resamples(np.random.default_rng(4), 12, 31)
    for _ in range(2):
        drawn = [*blocks]
        assert [len(one) for one in drawn] == [8, 8, 8, 7]
        assert np.array_equal(np.concatenate(drawn), whole)
    assert [len(one) for one in Resamples(np.random.default_rng(4), 101, 3)] == [1, 1, 1]


@pytest.mark.parametrize("kind", ["multiclass", "ordinal"])
def test_figures_are_bit_for_bit_the_same_in_any_blocks(kind, monkeypatch):
    component, truth, prediction, confidence = answers(300, 40, 4)
    each = Answers(truth, prediction, confidence, component, 4, np.eye(4)[prediction], kind)
    options = EvaluationOptions(resamples=200)
    whole = all_metrics(each, options, np.random.default_rng(1))
    monkeypatch.setattr(bootstrap, "LARGEST", 7 * 40)
    assert all_metrics(each, options, np.random.default_rng(1)) == whole


def test_many_resamples_of_many_components_take_little_memory():
    """Of 2,000 resamples by 20,000 components the counts alone would be 320 MB."""
    rng = np.random.default_rng(0)
    truth, message = rng.integers(0, 3, (2, 20_000))
    tracemalloc.start()
    score = Scorer(truth, np.arange(20_000), 3, 2000, generator(0, "test")).score([message])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6
    low, high = interval(score.drawn, 0.95)
    assert 0.01 < high - low < 0.02
