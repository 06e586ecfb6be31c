"""Drift: quiet nights are quiet at the promised rate, and planted shifts are found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom, fisher_exact

from pipeline.monitoring.drift import Observed, night_drift, pooled
from pipeline.monitoring.options import DriftOptions
from pipeline.monitoring.spending import night_level_of_year
from pipeline.monitoring.two_sample import (
    chi_square,
    classifier_test,
    independent_rows,
    kolmogorov_smirnov,
    maximum_mean_discrepancy,
    population_stability_index,
    sequential_p_value,
)

OPTIONS = DriftOptions(permutations=4_999)
ROWS = 5


def landing(
    seed: int, components: int, shift: float = 0.0, kinds: float = 0.5, turn: float = 0.0
) -> Observed:
    """ROWS samples a component, which differ from each other by a hair."""
    rng = np.random.default_rng(seed)
    n = components * ROWS

    def lasting(values: np.ndarray) -> np.ndarray:
        return np.repeat(values, ROWS, axis=0)

    bright = lasting(rng.normal(shift, 1, components)) + 0.01 * rng.normal(size=n)
    bright[::7] = np.nan
    kind = lasting(np.where(rng.random(components) < kinds, "cat", "dog").astype(object))
    vectors = rng.normal(size=(components, 8))
    vectors[:, 0] += turn * vectors[:, 1]  # each column alone hardly changes
    return Observed(
        component=np.repeat([f"{seed}-{i}" for i in range(components)], ROWS),
        columns={"picture.brightness": bright, "target.kind": kind},
        features={"moments": lasting(vectors) + 0.01 * rng.normal(size=(n, 8))},
    )


REFERENCE = landing(999, 300)


def test_a_night_without_change_is_noticed_in_fewer_than_one_of_a_hundred() -> None:
    nights = [
        night_drift(landing(2_000 + i, 200), landing(i, 40), [], OPTIONS, i) for i in range(120)
    ]
    noticed = sum(night.noticed for night in nights)
    assert binom.sf(noticed - 1, len(nights), OPTIONS.night_level) > 0.01
    # By itself each test says 1 of 10 at p = 0.1, so that the correction is all that keeps them.
    raw = np.array([finding.p for night in nights for finding in night.findings])
    assert binom.sf((raw <= 0.1).sum() - 1, len(raw), 0.1) > 0.001
    assert (raw <= 0.1).mean() > 0.02


def test_rows_of_a_component_count_once() -> None:
    """Taken as independent rows the same quiet nights would be called changed every other time."""
    wrong = right = 0
    for i in range(40):
        tonight, before = landing(i, 40), landing(3_000 + i, 60)
        values = [side.columns["picture.brightness"] for side in (before, tonight)]
        wrong += kolmogorov_smirnov(*(side[~np.isnan(side)] for side in values)).p < 0.05
        night = night_drift(before, tonight, [], OPTIONS, i)
        (finding,) = (f for f in night.findings if f.test == "kolmogorov_smirnov")
        right += finding.p < 0.05
    assert wrong > 8
    assert right <= 4


@pytest.mark.parametrize(
    ("planted", "subject"),
    [
        ({"shift": 1.2}, "picture.brightness"),
        ({"kinds": 0.95}, "target.kind"),
        ({"turn": 4.0}, "moments"),
    ],
)
def test_a_planted_shift_is_found_and_named(planted: dict, subject: str) -> None:
    nights = [night_drift(REFERENCE, landing(i, 60, **planted), [], OPTIONS, i) for i in range(10)]
    noticed = [night for night in nights if night.noticed]
    assert len(noticed) >= 9
    assert all(night.findings[0].subject == subject for night in noticed)
    assert all(subject in night.why for night in noticed)


def test_an_alarm_stands_against_all_nights() -> None:
    changed = landing(5, 60, shift=0.9)
    night = night_drift(REFERENCE, changed, [1.0] * 300, OPTIONS, 0)
    assert (night.noticed, night.alarm) == (True, False)
    assert "see what tomorrow says" in night.why
    again = night_drift(REFERENCE, changed, [*[1.0] * 300, 1e-12], OPTIONS, 0)
    assert night.level < again.level <= OPTIONS.night_level
    for planted in ({"shift": 3}, {"kinds": 1.0}):
        plain = night_drift(REFERENCE, landing(5, 60, **planted), [1.0] * 300, OPTIONS, 0)
        assert plain.alarm
        assert "no chance" in plain.why


def test_levels_are_those_of_lord() -> None:
    """By hand: half the rate spread over a year, and the rest after the first discovery."""
    base, share = 0.05 / 365, [j**-1.5 / 2.612375348685488 for j in (1, 2)]
    found = [0.5, 1e-9, 1e-9]
    levels = [night_level_of_year(found[:night], 0.1) for night in range(4)]
    assert levels[:2] == pytest.approx([base, base])
    assert levels[2] == pytest.approx(base + 0.05 * share[0])
    assert levels[3] == pytest.approx(base + 0.05 * share[1] + 0.1 * share[0])
    assert night_level_of_year([1e-9] * 9, 0.5, highest=0.01) == 0.01
    assert night_level_of_year([1e-9] * 365, 0.1) == pytest.approx(base)


def test_landings_that_differ_among_themselves_are_no_drift() -> None:
    """Each of them is brighter or darker as a whole, as days are."""
    rng = np.random.default_rng(0)
    days = [landing(500 + i, 40, shift=rng.normal(0, 1)) for i in range(30)]
    accepted, new = days[:20], days[20:]
    reference = Observed(
        np.concatenate([day.component for day in accepted]),
        {
            name: np.concatenate([day.columns[name] for day in accepted])
            for name in accepted[0].columns
        },
        batch=np.repeat([f"day {i}" for i in range(20)], [len(day.component) for day in accepted]),
    )
    unaware = replace(reference, batch=np.empty(0, str))
    options = OPTIONS.model_copy(update={"night_level": 0.05})
    assert sum(night_drift(unaware, day, [], options, 0).noticed for day in new) >= 4
    assert sum(night_drift(reference, day, [], options, 0).noticed for day in new) <= 1
    broken = night_drift(reference, landing(7, 30, shift=6), [], options, 0)
    assert broken.noticed
    assert broken.findings[0].as_far == 0


def test_what_too_few_have_is_said_and_what_does_not_matter_is_not() -> None:
    tonight = landing(1, 4)
    night = night_drift(REFERENCE, tonight, [], OPTIONS, 0)
    assert night.untested == ("picture.brightness", "target.kind", "moments")
    assert (night.p, night.noticed) == (1.0, False)
    assert "moments" in night.why
    strict = OPTIONS.model_copy(update={"least_distance": 0.9})
    assert not night_drift(REFERENCE, landing(2, 60, shift=1.2), [], strict, 0).noticed


def test_a_known_component_is_no_part_of_the_reference() -> None:
    """Else a night would be compared with itself, and pass."""
    both = night_drift(REFERENCE, REFERENCE, [], OPTIONS, 0)
    assert both.findings == ()


def test_sequential_p_values_are_uniform() -> None:
    """Of an observed value drawn as the permuted ones are."""
    rng = np.random.default_rng(0)
    p = np.array([sequential_p_value(rng.random(), rng.random, 999) for _ in range(2_000)])
    for level in (0.01, 0.05, 0.2, 0.5):
        assert (p <= level).mean() <= level + 3 * np.sqrt(level * (1 - level) / len(p))
        assert (p <= level).mean() >= 0.8 * level - 0.005
    assert sequential_p_value(2.0, rng.random, 999) == 1 / 1000


def test_tests_agree_with_their_definitions() -> None:
    rng = np.random.default_rng(0)
    before, after = rng.normal(size=(60, 3)), rng.normal(1, 1, size=(50, 3))
    discrepancy = maximum_mean_discrepancy(before, after, 999, rng)
    distance = ((before[:, None] - after) ** 2).sum(-1)
    pooled_rows = np.concatenate([before, after])
    squares = ((pooled_rows[:, None] - pooled_rows) ** 2).sum(-1)
    width = np.median(squares[np.triu_indices(110, 1)])
    mean = [np.exp(-squares[rows] / width).mean() for rows in (np.s_[:60, :60], np.s_[60:, 60:])]
    # Less the ones of each vector beside itself.
    mean = [(m * n - 1) / (n - 1) for m, n in zip(mean, (60, 50), strict=True)]
    expected = sum(mean) - 2 * np.exp(-distance / width).mean()
    assert discrepancy.effect == pytest.approx(expected**0.5)
    assert discrepancy.p == 1 / 1000
    assert classifier_test(before, after, rng).effect > 0.15
    many, few = (np.repeat(["a", "b"], counts) for counts in ([30, 10], [10, 30]))
    kinds = chi_square(many, few, 999, rng)
    assert kinds.effect == pytest.approx(0.5)
    assert kinds.p == pytest.approx(4 * fisher_exact([[30, 10], [10, 30]]).pvalue)
    assert population_stability_index(before[:, 0], before[:, 0]) == pytest.approx(0)
    assert population_stability_index(before[:, 0], after[:, 0] + 3) > 0.2


def test_one_row_speaks_for_a_component() -> None:
    component = np.repeat(["a", "b", "c"], [1, 5, 90])
    rows = independent_rows(component, 10, np.random.default_rng(0))
    assert sorted(component[rows]) == ["a", "b", "c"]
    assert len(independent_rows(component, 2, np.random.default_rng(0))) == 2


def test_of_a_sequence_the_frames_within_its_length_are_pooled() -> None:
    values = np.array([[[1.0], [3.0], [9.0]], [[0.0], [0.0], [0.0]]])
    vectors = pooled(values, np.array([2, 0]), np.array([True, False]))
    assert vectors[0, 0] == 2
    assert np.isnan(vectors[1, 0])
