"""Labels: honest nights are let in, those of a hard class too; mixed-up labels are named."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks.label_nights import CONTRACT, KEY, agreement, is_held, landing, reference
from pipeline.monitoring.label_agreement import (
    LabelAgreement,
    LabelledAnswers,
    check_labels,
    label_agreement,
)
from pipeline.monitoring.options import DriftOptions

TEST = reference(0, 60)


def test_fewer_than_one_honest_night_of_a_hundred_is_held() -> None:
    """By references of their own, as the guarantee has it; and a year against the same one."""
    nights = [agreement(landing(i, 20), i, reference(i, 60)) for i in range(200)]
    held = sum(check_labels(KEY, "kind", night, CONTRACT) is not None for night in nights)
    assert binom.sf(held - 1, len(nights), CONTRACT.chance) > 0.01
    # The p-values are exact: had they been small by themselves, the limit would mean nothing.
    p = np.array([night.p for night in nights])
    assert binom.sf((p <= 0.1).sum() - 1, len(p), 0.1) > 0.01
    assert (p <= 0.1).mean() > 0.04
    assert sum(is_held(landing(i, 20), i, TEST) for i in range(365)) < 0.01 * 365


@pytest.mark.parametrize(("components", "power"), [(12, 0.3), (20, 0.7), (40, 0.9)])
def test_mixed_up_labels_are_named(components: int, power: float) -> None:
    held = [is_held(landing(i, components, mixed=True), i, reference(i, 60)) for i in range(40)]
    assert np.mean(held) >= power


def test_few_permutations_of_other_tests_let_nothing_in() -> None:
    few, rng = DriftOptions(permutations=99), np.random.default_rng(0)
    mixed = label_agreement(TEST, landing(0, 40, mixed=True), CONTRACT.chance, few, rng)
    assert mixed is not None
    assert mixed.p <= CONTRACT.chance


def test_a_night_of_a_hard_class_is_honest() -> None:
    eels = [landing(i, 20, classes=("eel",)) for i in range(40)]
    assert np.mean([each.is_right.mean() for each in eels]) < 0.2
    assert sum(is_held(each, i, reference(i, 200)) for i, each in enumerate(eels)) == 0


def test_a_component_speaks_once_and_by_its_commonest_label() -> None:
    few = LabelledAnswers(
        np.repeat([f"c{i}" for i in range(5)], 3),
        np.array(["cat", "cat", "dog"] * 5),
        np.array([True, False, False] * 5),
        np.array([0.7, 0.1, 0.1] * 5),
    )
    agreed = agreement(few, 0, TEST)
    assert agreed is not None
    assert (agreed.components, agreed.agreed) == (5, 0.5)


def test_nothing_is_said_of_few_components_or_of_labels_that_no_test_component_has() -> None:
    assert agreement(landing(0, 4), 0, TEST) is None
    assert agreement(landing(0, 20, ("eel",)), 0, landing(1, 60, ("cat", "dog"))) is None


def test_a_shortfall_is_a_breach_where_it_is_wide_and_no_chance() -> None:
    poisoned = LabelAgreement(19, 0.06, 0.61, 0.0004)
    breach = check_labels(KEY, "kind", poisoned, CONTRACT)
    assert breach is not None
    assert (breach.level, breach.what, breach.subject) == ("batch", "labels", "kind")
    assert breach.message.startswith(
        "s/n: the model in use agrees with 6% of the labels of kind where 61% are expected"
    )
    assert (breach.measured, round(breach.low, 2)) == (0.06, 0.43)
    for honest in (LabelAgreement(900, 0.5, 0.6, 1e-9), LabelAgreement(5, 0.0, 0.6, 0.01)):
        assert check_labels(KEY, "kind", honest, CONTRACT) is None
