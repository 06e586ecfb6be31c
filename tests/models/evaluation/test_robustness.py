from __future__ import annotations

import numpy as np
import pytest

from pipeline.models.evaluation.perturbations import add_noise, donors, feature_noise, misalign
from pipeline.models.evaluation.robustness import ALL, RATES, Curves, robustness
from pipeline.models.evaluation.subsets import all_subsets
from pipeline.models.saving import TrainedModel
from pipeline.models.statistics import feature_moments
from tests.models.synthetic import SETS, joined, options, split_of
from tests.models.training.test_loop import CLASSES, WORLD, fit

TEST = split_of(WORLD, "test")
DEVIATIONS = {name: feature_moments(split_of(WORLD, "train"), name)[1] for name in SETS}


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    trained = fit(list(SETS), epochs=10)
    return TrainedModel(trained.network, list(TEST.sets), options(), CLASSES, trained.priors, {})


@pytest.fixture(scope="module")
def rows(model):
    return robustness(model, TEST, DEVIATIONS, 2, 7)


def curve(rows, kind, modality):
    return {r["rate"]: r for r in rows if (r["kind"], r["modality"]) == (kind, modality)}


def test_every_kind_and_modality_has_its_curve(rows):
    modalities = set(TEST.modalities)
    for kind, rates in RATES.items():
        shown = {row["modality"] for row in rows if row["kind"] == kind}
        assert shown == modalities | ({ALL} if kind == "absence" else set())
        for modality in shown:
            assert tuple(curve(rows, kind, modality)) == rates


def test_all_curves_start_at_the_score_and_those_that_matter_fall(rows, model):
    clean = {row["macro_f1"] for row in rows if row["rate"] == 0}
    assert len(clean) == 1
    for kind, modality in (("absence", ALL), ("absence", "image"), ("misalignment", "image"),
                           ("noise", "image")):  # fmt: skip
        result = curve(rows, kind, modality)
        assert result[max(result)]["macro_f1"] < result[0.0]["macro_f1"] - 0.1
    for row in rows:
        assert row["low"] <= row["macro_f1"] + 1e-12
        assert row["macro_f1"] <= row["high"] + 1e-12


def test_full_absence_is_what_masking_says(rows, model):
    curves = Curves(model, TEST, DEVIATIONS)
    without = all_subsets(TEST.modalities).index(tuple(m for m in TEST.modalities if m != "image"))
    expected = curves.score(curves.answers[without])
    result = curve(rows, "absence", "image")[1.0]
    assert result["macro_f1"] == pytest.approx(expected["macro_f1"])
    prior = int(model.priors["category"].argmax())
    blind = curve(rows, "absence", ALL)[1.0]["accuracy"]
    assert blind == pytest.approx((TEST.targets["category"] == prior).mean())


def test_a_higher_rate_spoils_what_a_lower_one_did(model):
    curves = Curves(model, TEST, DEVIATIONS)
    for kind in ("absence", "misalignment"):
        drawn = list(curves.draw(kind, "image", np.random.default_rng(1)))
        changed = [(each != drawn[0]).sum() for each in drawn]
        assert changed == sorted(changed)
        assert changed[-1] > changed[1]


def test_equal_seeds_give_equal_rows_and_no_draws_none(model, rows):
    assert robustness(model, TEST, DEVIATIONS, 2, 7) == rows
    assert robustness(model, TEST, DEVIATIONS, 2, 8) != rows
    assert robustness(model, TEST, DEVIATIONS, 0, 7) == []
    nothing = TEST.take(np.zeros(0, int))
    assert robustness(model, nothing, DEVIATIONS, 2, 7) == []


def test_noise_is_in_units_of_the_train_deviation_and_of_its_modality_alone():
    calm = {name: 3 * deviation for name, deviation in DEVIATIONS.items()}
    worse = add_noise(TEST, feature_noise(TEST, "image", calm, np.random.default_rng(0)), 0.5)
    added = (worse.values["pixels"] - TEST.values["pixels"])[0]
    np.testing.assert_allclose(added.std(0), 1.5 * DEVIATIONS["pixels"], rtol=0.3)
    assert worse.values["words"] is TEST.values["words"]


def test_a_donor_is_of_another_component_and_has_the_modality():
    chosen = donors(TEST, "image", np.random.default_rng(0))
    assert (TEST.component[chosen] != TEST.component).all()
    assert TEST.present[chosen, 0].all()
    worse = misalign(TEST, "image", chosen)
    has = TEST.present[:, 0]
    assert np.array_equal(worse.present, TEST.present)
    given = TEST.values["pixels"][0, chosen[has]]
    assert np.array_equal(worse.values["pixels"][0, has], given)
    assert np.array_equal(worse.values["words"], TEST.values["words"])


def test_one_component_has_no_other_to_swap_with():
    alone = split_of(joined(subjects=1), joined(subjects=1).split[0])
    assert donors(alone, "text", np.random.default_rng(0)).tolist() == [0, 1, 2]
