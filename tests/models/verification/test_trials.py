"""Who is in a trial, and the laws of how trials are drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.core.errors import PipelineError
from pipeline.models.verification.people import folds_of, people_of, pooled
from pipeline.models.verification.trials import draw_trials
from tests.models.verification.known import joined, options


def test_samples_that_are_in_no_trial_are_counted_by_reason() -> None:
    world = joined(absent=0.3)
    world.values["voice"][1], world.values["face"][1] = (world.values[s][0] for s in world.values)
    for name in world.present:
        world.present[name][1] = world.present[name][0] = True
    gone = ~(world.present["voice"] | world.present["face"])
    people = people_of(world, options(clips=5), 0)
    assert people.left_out["no_features"] == gone.sum() > 0
    assert people.left_out["equal_to_another"] == 1
    assert len(people.person) + sum(people.left_out.values()) == len(world.sample_ids)
    assert np.bincount(people.person).max() == 5


def test_people_are_named_by_a_target_or_an_attribute() -> None:
    world = joined()
    world.attributes[0].pop("name")
    people = people_of(world, options(people="name"), 0)
    assert people.names == sorted(f"Name {i}" for i in range(12))
    assert people.left_out == {"no_person": 1}


@pytest.mark.parametrize("name", ["said", "age"])
def test_people_whom_curation_joins_are_not_told_apart(name: str) -> None:
    with pytest.raises(PipelineError, match=r"1 people that curation keeps apart"):
        people_of(joined(), options(people=name), 0)


def test_people_of_one_sample_each_cannot_be_verified() -> None:
    with pytest.raises(PipelineError, match=r"^0 people .* with two samples or more each"):
        people_of(joined(people=12, clips=1), options(), 0)


@pytest.mark.parametrize(("option", "value"), [("people", "who"), ("content", "what")])
def test_what_nothing_is_called_is_an_error(option: str, value: str) -> None:
    with pytest.raises(PipelineError, match=rf"{option}: unknown target or attribute '{value}'"):
        people_of(joined(), options(**{option: value}), 0)


def test_a_sequence_is_pooled_over_its_frames() -> None:
    values = np.arange(12, dtype=np.float32).reshape(1, 4, 3)
    (vector,) = pooled(values, np.array([2], np.int32))
    np.testing.assert_allclose(vector, [1.5, 2.5, 3.5, 1.5, 1.5, 1.5])


def test_folds_part_no_circle_and_are_as_large() -> None:
    people = people_of(joined(people=14), options(), 0)
    fold = folds_of(people, 3, 0)
    for circle in set(people.circle):
        assert len(set(fold[people.circle == circle])) == 1
    sizes = [len(set(people.person[fold == f])) for f in range(3)]
    assert max(sizes) - min(sizes) <= 1
    assert not np.array_equal(fold, folds_of(people, 3, 1))


@pytest.mark.parametrize("count", [1, 3])
def test_the_laws_of_trials(count: int) -> None:
    people = people_of(joined(), options(), 0)
    fold = folds_of(people, 3, 0)
    trials = draw_trials(people, fold, count, 2, 0)
    claimed, own = people.person[trials.enrolled], people.person[trials.probe]
    assert (claimed == claimed[:, :1]).all(), "one person is enrolled"
    np.testing.assert_array_equal(claimed[:, 0] == own, trials.same)
    assert not (trials.enrolled == trials.probe[:, None]).any()
    assert all(len(set(rows)) == count for rows in trials.enrolled.tolist())
    np.testing.assert_array_equal(fold[trials.enrolled[:, 0]], fold[trials.probe])
    apart = people.circle[trials.enrolled[:, 0]] != people.circle[trials.probe]
    np.testing.assert_array_equal(apart, ~trials.same)
    said = people.content[trials.enrolled] == people.content[trials.probe][:, None]
    np.testing.assert_array_equal(said.any(1), trials.same_content)
    np.testing.assert_array_equal(said[:, 0], trials.same_content)
    for kind in (False, True):
        impostors = trials.take((trials.same_content == kind) & ~trials.same)
        assert np.bincount(impostors.probe).max() == 2
    assert trials.same.sum() == len(people.person)


def test_the_trials_of_a_probe_do_not_depend_on_other_folds() -> None:
    people = people_of(joined(), options(), 0)
    fold = folds_of(people, 3, 0)
    alone = people.take(fold == 1)
    part = draw_trials(alone, fold[fold == 1], 1, 2, 0)
    whole = draw_trials(people, fold, 1, 2, 0)
    whole = whole.take(whole.fold == 1)
    place = np.flatnonzero(fold == 1)
    np.testing.assert_array_equal(place[part.probe], whole.probe)
    np.testing.assert_array_equal(place[part.enrolled], whole.enrolled)


def test_a_person_with_one_sample_is_never_enrolled_against_themselves() -> None:
    world = joined()
    rows = np.array([i for i, g in enumerate(world.group) if g != "p05" or i % 8 == 0])
    world = replace(
        world,
        **{name: getattr(world, name)[rows] for name in ("source", "group", "component", "split")},
        sample_ids=[world.sample_ids[row] for row in rows],
        attributes=[world.attributes[row] for row in rows],
        **{
            name: {s: v[rows] for s, v in getattr(world, name).items()}
            for name in ("values", "lengths", "present", "targets")
        },
    )
    people = people_of(world, options(), 0)
    trials = draw_trials(people, folds_of(people, 3, 0), 1, 2, 0)
    lonely = people.names.index("known/p05")
    assert not trials.same[people.person[trials.probe] == lonely].any()
