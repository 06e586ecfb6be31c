"""One mechanism scores resamples: of one seed the same bits come out wherever it is asked."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.randomness import generator
from pipeline.models.evaluation.bootstrap import replicates, resample
from pipeline.models.evaluation.scorer import Scorer
from pipeline.models.metrics import class_scores

SIZES = [(2, 60, 9), (23, 700, 140), (60, 900, 300)]


def world(classes: int, n: int, groups: int):
    rng = np.random.default_rng(classes)
    truth = rng.integers(0, classes, n)
    component = np.unique(rng.integers(0, groups, n), return_inverse=True)[1]
    message = [np.where(rng.random(n) < s, truth, rng.integers(0, classes, n)) for s in (0.7, 0.5)]
    return truth, component, message


@pytest.mark.parametrize(("classes", "n", "groups"), SIZES)
def test_resamples_are_scored_as_the_figures_are(classes, n, groups):
    truth, component, (message, other) = world(classes, n, groups)
    scorer = Scorer(truth, component, classes, 300, generator(3, "test"))
    counts = resample(generator(3, "test"), component.max() + 1, 300)
    nothing = np.zeros(n)
    result = replicates(counts, component, truth, message, nothing.astype(int), nothing, classes, 1)
    score = scorer.score([message])
    assert np.array_equal(score.drawn, result["macro_f1"])
    assert score.value == class_scores(truth, message, classes)["macro_f1"]
    both = scorer.score([message, other])
    assert both.seeds == (score.value, scorer.score([other]).value)
    assert both.value == np.mean(both.seeds)


def test_names_of_components_do_not_matter_but_their_order():
    truth, component, (message, _) = world(4, 200, 50)
    names = np.array([f"c{i:03}" for i in component])
    one, two = (
        Scorer(truth, of, 4, 100, generator(0, "test")).score([message])
        for of in (component, names)
    )
    assert np.array_equal(one.drawn, two.drawn)
