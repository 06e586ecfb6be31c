"""Samples are picked for what they show, never by chance."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pipeline.reporting.sampling import Answer, pick_diverse, strata


def answer(name: str, confidence: float, right: bool) -> Answer:
    return Answer(name, "a" if right else "b", "a", confidence, (("a", confidence),))


SAMPLES = {f"s{i}": {"component": f"c{i // 2}", "kinds": [f"k{i % 3}"]} for i in range(60)}
ANSWERS = [answer(f"s{i}", (i * 37 % 60) / 60, right=i % 3 > 0) for i in range(60)]


def test_strata_are_what_they_are_called() -> None:
    result = strata(ANSWERS, SAMPLES, 16)
    assert [stratum.verdict for stratum in result] == ["wrong", "wrong", "right", "right"]
    for stratum in result:
        assert len(stratum.answers) == 4
        assert {one.verdict for one in stratum.answers} == {stratum.verdict}
    surest, least, *_ = (sorted(a.confidence for a in stratum.answers) for stratum in result)
    assert least[-1] < surest[0]


def test_the_surest_mistake_comes_first() -> None:
    result = strata(ANSWERS, SAMPLES, 16)
    wrong = [one.confidence for one in ANSWERS if one.verdict == "wrong"]
    assert result[0].answers[0].confidence >= max(wrong) - 0.05


def test_no_component_is_shown_twice() -> None:
    shown = [
        SAMPLES[a.sample_id]["component"] for s in strata(ANSWERS, SAMPLES, 40) for a in s.answers
    ]
    assert len(shown) == len(set(map(str, shown)))


def test_the_order_of_answers_does_not_matter() -> None:
    shuffled = random.Random(0).sample(ANSWERS, len(ANSWERS))
    assert strata(shuffled, SAMPLES, 16) == strata(ANSWERS, SAMPLES, 16)


def test_an_empty_stratum_is_left_out() -> None:
    result = strata([answer("s0", 0.9, right=True)], SAMPLES, 16)
    assert [stratum.title for stratum in result] == ["Right, and sure of it"]
    assert strata([], SAMPLES, 16) == []


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=30), st.integers(0, 12))
def test_spread_shows_as_many_kinds_as_there_are(items: list[tuple[int, int]], most: int) -> None:
    keys = [f"{i}" for i in range(len(items))]
    owner = {key: str(item[0]) for key, item in zip(keys, items, strict=True)}
    kinds = {key: [str(item[1])] for key, item in zip(keys, items, strict=True)}
    picked = pick_diverse(keys, owner, kinds, most)
    owners = [owner[key] for key in picked]
    assert len(owners) == len(set(owners))
    assert len(picked) == min(most, len(set(owner.values())))
    free = set(owner.values()) - set(owners)
    if free and picked:
        counts = Counter(kinds[key][0] for key in picked)
        unseen = {kinds[key][0] for key in keys if owner[key] in free} - set(counts)
        assert not unseen or max(counts.values()) == 1
