"""Label audit: a planted wrong label is found, and the finds are those of cleanlab."""

from __future__ import annotations

import numpy as np

from pipeline.models.comparison.label_errors import label_errors

# cleanlab 2.9.0 on `world()`: find_label_issues(given, probabilities,
# filter_by="confident_learning", return_indices_ranked_by="self_confidence").
CLEANLAB = [161, 17, 0, 310, 8, 53, 186, 112, 378, 288, 273, 395, 177, 247, 223, 372, 59, 301, 195]


def world(n: int = 400, k: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, given labels, and the 30 rows whose label is wrong."""
    rng = np.random.default_rng(3)
    true = rng.integers(0, k, n)
    logits = rng.normal(size=(n, k)) + 3 * np.eye(k)[true]
    probabilities = np.exp(logits)
    probabilities /= probabilities.sum(1, keepdims=True)
    given = true.copy()
    wrong = rng.choice(n, 30, replace=False)
    given[wrong] = (given[wrong] + rng.integers(1, k, 30)) % k
    return probabilities, given, wrong


def test_the_finds_are_those_of_cleanlab() -> None:
    probabilities, given, wrong = world()
    result = label_errors(probabilities, given, np.arange(len(given)), len(given))
    assert [one.row for one in result] == CLEANLAB
    assert {one.row for one in result} <= {*wrong.tolist()}
    for one in result:
        assert one.given == given[one.row]
        assert one.suggested == probabilities[one.row].argmax()
        assert one.self_confidence == probabilities[one.row, one.given]
        assert np.isclose(
            one.margin, probabilities[one.row, one.suggested] - one.self_confidence, atol=1e-12
        )


def test_no_more_are_named_than_asked() -> None:
    probabilities, given, _ = world()
    result = label_errors(probabilities, given, np.arange(len(given)), 5)
    assert [one.row for one in result] == CLEANLAB[:5]


def test_a_planted_label_is_found_once_a_component() -> None:
    """Ten components of four rows each; all rows of the seventh have a wrong label."""
    true = np.repeat(np.arange(10) % 2, 4)
    component = np.repeat([f"c{i}" for i in range(10)], 4)
    sure = np.linspace(0.8, 0.95, 40)
    probabilities = np.where(true[:, None] == np.arange(2), sure[:, None], 1 - sure[:, None])
    given = true.copy()
    given[28:32] = 1 - given[28:32]
    (one,) = label_errors(probabilities, given, component, 20)
    assert one.row in range(28, 32)
    assert (one.given, one.suggested) == (0, 1)
    assert (one.disagreeing, one.same_label) == (4, 4)
    assert np.isclose(one.self_confidence, 1 - sure[28:32].mean())
    assert np.isclose(one.margin, 2 * sure[28:32].mean() - 1)
    assert one.row == 31  # of whose own class the model is surest, so of the given one least


def test_one_odd_row_does_not_convict_its_component() -> None:
    true = np.repeat(np.arange(10) % 2, 4)
    component = np.repeat([f"c{i}" for i in range(10)], 4)
    probabilities = np.where(true[:, None] == np.arange(2), 0.9, 0.1)
    probabilities[5] = probabilities[5, ::-1]
    assert label_errors(probabilities, true, component, 20) == []


def test_a_component_of_two_labels_is_named_by_the_worse_one() -> None:
    probabilities = np.array([[0.9, 0.1]] * 4 + [[0.1, 0.9]] * 4)
    probabilities[3] = 0.95, 0.05
    given = np.array([0, 0, 0, 1, 1, 1, 1, 0])
    component = np.array(["a", "b", "c", "d", "e", "f", "g", "d"])
    (one,) = label_errors(probabilities, given, component, 20)
    assert (one.row, one.same_label) == (3, 1)
