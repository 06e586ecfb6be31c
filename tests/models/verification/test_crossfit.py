"""Systems taught, calibrated and measured on people of whom the truth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import PipelineError
from pipeline.models.verification import crossfit
from pipeline.models.verification.crossfit import Judged, cross_fit
from pipeline.models.verification.detection import cllr
from pipeline.models.verification.figures import ALL, OTHER_CONTENT, SAME_CONTENT, Figure, measure
from pipeline.models.verification.people import People, people_of
from pipeline.models.verification.verifier import (
    ARRAYS,
    CARD,
    Verifier,
    load_verifier,
    save_verifier,
)
from tests.models.verification.known import joined, options

OPTIONS = options(enrolled=[1, 3], folds=4, seeds=2)
Fitted = tuple[People, dict[int, Judged], Verifier]


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    people = people_of(joined(people=24, absent=0.2), OPTIONS, 0)
    return people, *cross_fit(people, OPTIONS, 0, {"voice": {"function": "v"}})


@pytest.fixture(scope="module")
def figures(fitted: Fitted) -> dict[tuple[str, int, str, str], Figure]:
    people, judged, _ = fitted
    measured = measure(people, judged, OPTIONS, 0)
    return {(f.system, f.enrolled, f.impostors, f.figure): f for f in measured}


def test_every_trial_is_judged_by_whom_has_what_a_system_reads(fitted: Fitted) -> None:
    people, judged, _ = fitted
    for each in judged.values():
        for name in ("voice", "face"):
            has = people.present[name]
            there = has[each.trials.enrolled].any(1) & has[each.trials.probe]
            np.testing.assert_array_equal(~np.isnan(each.ratios[name]), there)
        either = ~np.isnan(each.ratios["voice"]) | ~np.isnan(each.ratios["face"])
        np.testing.assert_array_equal(~np.isnan(each.ratios["both"]), either)


def test_fusion_and_more_samples_tell_more(fitted: Fitted) -> None:
    _, judged, _ = fitted
    cost = {}
    for enrolled, each in judged.items():
        rows = ~np.isnan([*each.ratios.values()]).any(0)
        for name, ratios in each.ratios.items():
            cost[name, enrolled] = cllr(ratios[rows], each.trials.same[rows], np.ones(rows.sum()))
    assert cost["both", 3] < cost["both", 1] < min(cost["voice", 1], cost["face", 1]) < 1
    assert cost["voice", 3] < cost["voice", 1]


def test_figures_have_intervals_and_count_their_trials(
    fitted: Fitted, figures: dict[tuple[str, int, str, str], Figure]
) -> None:
    _, judged, _ = fitted
    assert {key[2] for key in figures} == {ALL, SAME_CONTENT, OTHER_CONTENT}
    for (system, enrolled, kind, name), each in figures.items():
        if name == "min_cllr":
            assert each.low is None
            assert each.value <= figures[system, enrolled, kind, "cllr"].value
            continue
        assert each.low is not None
        assert each.high is not None
        assert each.low <= each.high
        if kind == ALL:
            scored = ~np.isnan(judged[enrolled].ratios[system])
            assert each.targets + each.others == scored.sum()
            assert each.unscored == (~scored).sum()
        if name in ("eer", "cllr") and system != "both":
            more = figures[system, enrolled, kind, f"{name}_more"]
            assert more.value == each.value - figures["both", enrolled, kind, name].value
    copied = {key[0] for key in figures if key[3] == "copied_miss"}
    assert copied == {"face"}


def test_an_interval_is_over_people_not_trials(fitted: Fitted) -> None:
    """A third of the people are always refused, which so many trials alone would tell exactly."""
    people, judged, _ = fitted
    trials = judged[1].trials
    ratios = np.where(trials.same & (people.person[trials.probe] % 3 > 0), 1.0, -1.0)
    made = Judged(trials, np.zeros((len(trials), 2)), {"both": ratios})
    (miss,) = [
        figure
        for figure in measure(people, {1: made}, OPTIONS, 0)
        if (figure.figure, figure.impostors) == ("miss", ALL)
    ]
    assert miss.value == pytest.approx(1 / 3, abs=0.03)
    assert miss.low is not None
    assert miss.high is not None
    people_alone = 2 * 1.96 * np.sqrt(2 / 9 / len(people.names))
    assert 0.7 * people_alone < miss.high - miss.low < 1.4 * people_alone


def test_nothing_learns_from_the_people_whom_it_judges(
    fitted: Fitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    people, _, _ = fitted
    taught: list[set[int]] = []
    fit = crossfit._fit
    monkeypatch.setattr(
        crossfit,
        "_fit",
        lambda seen, *rest: taught.append(set(seen.circle.tolist())) or fit(seen, *rest),
    )
    cross_fit(people, OPTIONS, 0)
    *folds, last = taught
    assert last == set(people.circle)
    # Of four folds two teach at a time, by each of two seeds.
    assert len(folds) == 8
    assert sum(map(len, folds)) == 4 * len(last)
    judged, _ = cross_fit(people, OPTIONS, 0)
    tested = judged[1].trials
    for fold in range(8):
        probes = people.circle[tested.probe[tested.fold == fold]]
        assert not folds[fold] & set(probes.tolist())
    assert set.union(*folds) == last


def test_people_who_do_not_differ_are_not_told_apart() -> None:
    world = joined(people=15)
    mixed = np.random.default_rng(3).permutation(len(world.sample_ids))
    for name in world.values:
        world.values[name][:] = world.values[name][mixed]
    people = people_of(world, options(), 0)
    judged, _ = cross_fit(people, options(), 0)
    (each,) = [
        figure
        for figure in measure(people, judged, options(), 0)
        if (figure.system, figure.impostors, figure.figure) == ("both", ALL, "eer")
    ]
    assert each.low is not None
    assert each.high is not None
    assert each.low < 0.5 < each.high


def test_the_same_again_and_another_seed_draws_others(fitted: Fitted) -> None:
    people, judged, _ = fitted
    again, _ = cross_fit(people, OPTIONS, 0)
    other, _ = cross_fit(people, OPTIONS, 1)
    np.testing.assert_array_equal(again[1].ratios["both"], judged[1].ratios["both"])
    assert not np.array_equal(other[1].trials.enrolled, judged[1].trials.enrolled)


def test_a_verifier_is_read_back_as_it_was(fitted: Fitted, tmp_path: Path) -> None:
    people, judged, verifier = fitted
    save_verifier(tmp_path, verifier)
    files = tmp_path / CARD, tmp_path / ARRAYS
    again = load_verifier(*files)
    assert (again.options, again.made_by) == (verifier.options, verifier.made_by)
    for name in ("", "voice", "face"):
        trials = judged[3].trials
        np.testing.assert_array_equal(
            again.llr(people, trials, name), verifier.llr(people, trials, name)
        )
    (tmp_path / "verifier.safetensors").write_bytes(b"x")
    with pytest.raises(PipelineError, match="damaged"):
        load_verifier(*files)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"fusions": {"voice": ["voice", "face"]}}, "names a system already"),
        ({"fusions": {"both": ["voice", "gait"]}}, "there is no system gait"),
        ({"fusions": {"both": ["voice"]}}, "name 2 to 4 systems"),
        ({"answers": "gait"}, "answers: there is no system or fusion gait"),
        ({"enrolled": [3, 1]}, "enrolled: give whole numbers"),
        (
            {"systems": {"x": {"features": ["a", "b"], "method": "cosine"}}, "fusions": {}},
            "cosine takes one feature set",
        ),
    ],
)
def test_options_that_contradict_each_other(changed: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        options(**changed)


def test_the_threshold_is_where_errors_cost_least() -> None:
    assert options().threshold == 0
    assert options(prior=0.05).threshold == pytest.approx(np.log(19))
    assert options(false_cost=10.0).threshold == pytest.approx(np.log(10))
