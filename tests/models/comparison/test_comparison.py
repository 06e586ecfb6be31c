"""The tables of the comparison, against plain statements of what they say."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from pipeline.core.randomness import generator
from pipeline.models.comparison import comparison
from pipeline.models.comparison.candidate import (
    CHOICE,
    CHOSEN,
    SEED_ENSEMBLE,
    Candidate,
    choose_by_inner_score,
    seed_ensemble,
)
from pipeline.models.comparison.options import ComparisonOptions
from pipeline.models.comparison.paired_bootstrap import holm
from pipeline.models.evaluation.scorer import Scorer
from tests.models.synthetic import options as model

N, K, FOLDS, SEEDS = 240, 4, 3, 2
OPTIONS = ComparisonOptions.model_validate(
    {"models": {"m": model()}, "baseline": {"features": {"p": "pixels"}}, "resamples": 300,
     "bins": 5}
)  # fmt: skip
TRUTH = np.arange(N) % K
COMPONENT = np.array([f"c{i // 4}" for i in np.random.default_rng(0).permutation(N)])
FOLD = np.arange(N) * FOLDS // N
IDS = np.array([f"s{i}" for i in range(N)])
CLASSES = ["north", "east", "south", "west"]
EVERY = ("audio", "image", "text")


def subsets(modalities: tuple[str, ...]) -> list[str]:
    return ["+".join(s) for k in range(1, len(modalities) + 1) for s in combinations(modalities, k)]


def candidate(
    name: str, modalities: tuple[str, ...], skill: float, inner: tuple[float, ...], seed: int
) -> Candidate:
    """Answers that are the better the more modalities are shown."""
    rng = np.random.default_rng(seed)
    shown: dict[str, list[np.ndarray]] = {}
    for subset in subsets(modalities):
        gain = skill * (subset.count("+") + 1) / len(modalities)
        logits = [rng.normal(size=(N, K)) + gain * np.eye(K)[TRUTH] for _ in range(SEEDS)]
        shown[subset] = [np.exp(z) / np.exp(z).sum(1, keepdims=True) for z in logits]
    kinds = {1: "single", 2: "partial", 3: "fusion"}
    return Candidate(
        name,
        kinds[len(modalities)],
        modalities,
        [p.astype(np.float32) for p in shown["+".join(modalities)]],
        {one: [p.argmax(1) for p in each] for one, each in shown.items()},
        dict(enumerate(inner)),
        100,
    )


IMAGE = candidate("image", ("image",), 1.0, (0.9, 0.9, 0.9), 1)
OTHER_IMAGE = candidate("image2", ("image",), 0.5, (0.5, 0.5, 0.5), 2)
PAIR = candidate("pair", ("audio", "image"), 1.5, (0.5, 0.5, 0.5), 3)
EARLY = candidate("early", EVERY, 2.0, (0.6, 0.7, 0.2), 4)
LATE = candidate("late", EVERY, 2.5, (0.5, 0.8, 0.1), 5)
BASE = replace(IMAGE, name="base", kind="baseline", inner={}, parameters=None)
LUCK = Candidate("luck", "chance", (), (), {"": [np.zeros(N, np.int64)]}, {})
ALL = [IMAGE, OTHER_IMAGE, PAIR, EARLY, LATE, BASE, LUCK]


def scorer() -> Scorer:
    return Scorer(TRUTH, COMPONENT, K, 300, generator(7, "comparison"))


def macro_f1(answers: np.ndarray) -> float:
    return float(f1_score(TRUTH, answers, average="macro"))


@pytest.fixture(scope="module")
def tables() -> dict[str, comparison.Table]:
    return comparison.comparison_tables(ALL, FOLD, TRUTH, COMPONENT, IDS, CLASSES, OPTIONS, 7)


def test_the_choice_is_by_inner_scores_and_put_together_fold_by_fold() -> None:
    one, picked = choose_by_inner_score(ALL, FOLD)
    assert picked == {0: "early", 1: "late", 2: "early"}
    assert one.inner == {0: 0.6, 1: 0.8, 2: 0.2}
    for seed in range(SEEDS):
        for fold, source in enumerate((EARLY, LATE, EARLY)):
            rows = fold == FOLD
            assert (one.probabilities[seed][rows] == source.probabilities[seed][rows]).all()
            for shown in subsets(EVERY):
                own, theirs = one.predictions[shown][seed], source.predictions[shown][seed]
                assert (own[rows] == theirs[rows]).all()


def test_what_is_judged_has_no_say_in_the_choice() -> None:
    """The other truth and answers, the same inner scores: the same choice."""
    worse = [replace(one, probabilities=[1 - p for p in one.probabilities],
                     predictions={k: [(p + 1) % K for p in v] for k, v in one.predictions.items()})
             if one is LATE else one for one in ALL]  # fmt: skip
    assert choose_by_inner_score(worse, FOLD)[1] == choose_by_inner_score(ALL, FOLD)[1]


def test_the_choice_leaves_its_sources_as_they_are() -> None:
    before = EARLY.probabilities[0].copy()
    choose_by_inner_score(ALL, FOLD)
    assert (EARLY.probabilities[0] == before).all()


def test_seeds_together_answer_once_by_their_mean() -> None:
    one = seed_ensemble(LATE)
    (own,) = one.probabilities
    assert own == pytest.approx((LATE.probabilities[0] + LATE.probabilities[1]) / 2)
    assert [*one.predictions] == [LATE.full_subset]
    assert (one.answers[0] == own.argmax(1)).all()
    assert (one.inner, one.kind) == (LATE.inner, LATE.kind)


def test_the_leaderboard_is_what_scikit_learn_says(tables: dict[str, comparison.Table]) -> None:
    rows = {row["model"]: row for row in tables["leaderboard"]}
    assert {*rows} == {*(one.name for one in ALL), CHOSEN, SEED_ENSEMBLE}
    assert (
        rows[SEED_ENSEMBLE]["macro_f1"]
        == rows[SEED_ENSEMBLE]["together"]
        == rows[CHOSEN]["together"]
    )
    assert rows[SEED_ENSEMBLE]["kind"] == rows[CHOSEN]["kind"] == CHOICE
    for one in ALL:
        row = rows[one.name]
        single = [macro_f1(answer) for answer in one.answers]
        assert row["macro_f1"] == pytest.approx(np.mean(single))
        assert row["deviation"] == pytest.approx(np.std(single))
        assert row["accuracy"] == pytest.approx(
            np.mean([accuracy_score(TRUTH, answer) for answer in one.answers])
        )
        assert row["low"] < row["macro_f1"] < row["high"] or one is LUCK
        assert row["parameters"] == one.parameters
        if one.probabilities:
            assert row["together"] == pytest.approx(
                macro_f1(np.mean(one.probabilities, 0).argmax(1))
            )
            assert row["ece"] == pytest.approx(np.mean([ece(p) for p in one.probabilities]))
        else:
            assert row["together"] is row["ece"] is row["inner_macro_f1"] is None
        if one.inner:
            assert row["inner_macro_f1"] == pytest.approx(np.mean(list(one.inner.values())))
    values = [row["macro_f1"] for row in tables["leaderboard"]]
    assert values == sorted(values, reverse=True)


def ece(probabilities: np.ndarray) -> float:
    """Expected calibration error over five equal bins, said as a loop."""
    top, right = probabilities.max(1), probabilities.argmax(1) == TRUTH
    result = 0.0
    for low in np.arange(0, 1, 0.2):
        rows = (top > low) & (top <= low + 0.2)
        if rows.any():
            result += rows.mean() * abs(right[rows].mean() - top[rows].mean())
    return result


def test_a_resample_is_scored_as_if_its_rows_were_the_samples() -> None:
    """Ten resamples taken literally: the rows of each drawn component, as often as it is drawn."""
    from pipeline.models.evaluation.bootstrap import resample

    names, place = np.unique(COMPONENT, return_inverse=True)
    counts = resample(generator(7, "comparison"), len(names), 300).astype(int)
    result = scorer().score(EARLY.answers)
    for draw in range(10):
        rows = np.repeat(np.arange(N), counts[draw][place])
        expected = [
            f1_score(TRUTH[rows], answer[rows], labels=np.unique(TRUTH[rows]), average="macro")
            for answer in EARLY.answers
        ]
        assert result.drawn[draw] == pytest.approx(np.mean(expected))


def test_every_fusion_is_held_against_the_best_of_each_kind(
    tables: dict[str, comparison.Table],
) -> None:
    rows = tables["paired"]
    assert [(row["model"], row["other"]) for row in rows] == [
        ("early", "image"), ("late", "image"), (CHOSEN, "image"),
        ("early", "base"), ("late", "base"), (CHOSEN, "base"), (SEED_ENSEMBLE, "base"),
        ("early", "late"), (CHOSEN, "late"),
    ]  # fmt: skip
    one = scorer()
    choice = choose_by_inner_score(ALL, FOLD)[0]
    every = [*ALL, choice, seed_ensemble(choice)]
    scores = {each.name: one.score(each.answers) for each in every}
    for row in rows:
        own, other = scores[row["model"]], scores[row["other"]]
        assert row["value"] == pytest.approx(own.value - other.value)
        low, high = np.quantile(own.drawn - other.drawn, [0.025, 0.975])
        assert (row["low"], row["high"]) == pytest.approx((low, high))
    assert [row["corrected"] for row in rows] == pytest.approx(holm([row["p"] for row in rows]))


def test_nothing_is_held_against_the_choice() -> None:
    """Each fusion is right in the folds where it is chosen, so that the choice beats them all."""
    right = {shown: [TRUTH] * SEEDS for shown in subsets(EVERY)}

    def half(one: Candidate, folds: tuple[int, ...]) -> Candidate:
        answers = {
            k: [np.where(np.isin(FOLD, folds), TRUTH, 0) for _ in v] for k, v in right.items()
        }
        return replace(one, predictions=answers)

    both = [half(EARLY, (0, 2)), half(LATE, (1,))]
    one = scorer()
    every = [IMAGE, *both, choose_by_inner_score(both, FOLD)[0]]
    scores = {each.name: one.score(each.answers) for each in every}
    assert scores[CHOSEN].value == 1.0
    rows = comparison.paired_rows(every, scores, 0.95)
    assert {row["other"] for row in rows} == {"image", "early"}


def test_a_missing_modality_is_held_against_the_model_trained_without(
    tables: dict[str, comparison.Table],
) -> None:
    rows = {row["shown"]: row for row in tables["missing"] if row["model"] == "early"}
    assert [*rows] == subsets(EVERY)[:-1]
    assert rows["image"]["other"] == "image"  # not image2, which is worse, nor the baseline
    assert rows["audio+image"]["other"] == "pair"
    assert all("other" not in rows[shown] for shown in ("audio", "text", "audio+text"))
    own = np.mean([macro_f1(answer) for answer in EARLY.predictions["image"]])
    alone = np.mean([macro_f1(answer) for answer in IMAGE.answers])
    assert rows["image"]["macro_f1"] == pytest.approx(own)
    assert rows["image"]["other_macro_f1"] == pytest.approx(alone)
    assert rows["image"]["value"] == pytest.approx(own - alone)
    assert rows["image"]["low"] < rows["image"]["value"] < rows["image"]["high"]


def test_classes_are_what_scikit_learn_says(tables: dict[str, comparison.Table]) -> None:
    rows = {row["class"]: row for row in tables["classes"] if row["model"] == "late"}
    assert [*rows] == CLASSES
    expected = np.mean([f1_score(TRUTH, answer, average=None) for answer in LATE.answers], 0)
    assert [row["f1"] for row in rows.values()] == pytest.approx(expected)
    assert {row["n"] for row in rows.values()} == {N // K}
    for k, name in enumerate(CLASSES):
        assert rows[name]["components"] == len({*COMPONENT[k == TRUTH]})


def test_a_planted_label_is_named_by_sample_and_class() -> None:
    """Every sample its own component, and the truth of one swapped for another."""
    planted = TRUTH.copy()
    sure = int(np.mean(choose_by_inner_score(ALL, FOLD)[0].probabilities, 0).max(1).argmax())
    planted[sure] = (TRUTH[sure] + 1) % K
    rows = comparison.comparison_tables(ALL, FOLD, planted, IDS, IDS, CLASSES, OPTIONS, 7)[
        "label_errors"
    ]
    assert rows[0]["sample_id"] == rows[0]["component"] == IDS[sure]
    assert (rows[0]["given"], rows[0]["suggested"]) == (
        CLASSES[planted[sure]],
        CLASSES[TRUTH[sure]],
    )
    assert len(rows) <= comparison.MAX_LABEL_ERRORS
    assert [row["self_confidence"] for row in rows] == sorted(
        row["self_confidence"] for row in rows
    )


def test_without_a_fusion_nothing_is_chosen() -> None:
    result = comparison.comparison_tables(
        [IMAGE, BASE, LUCK], FOLD, TRUTH, COMPONENT, IDS, CLASSES, OPTIONS, 7
    )
    assert [len(result[name]) for name in ("paired", "missing", "choices", "label_errors")] == [
        0
    ] * 4
    assert [row["model"] for row in result["leaderboard"]][-1] == "luck"


def test_a_sure_difference_can_be_told_with_as_many_resamples_as_are_asked() -> None:
    """One fusion is always right and all others always wrong: Holm's correction leaves it sure."""
    options = OPTIONS.model_copy(update={"resamples": 480})  # the least for three models
    wrong = [(TRUTH + 1) % K] * SEEDS

    def answering(one: Candidate, answers: list[np.ndarray]) -> Candidate:
        return replace(one, predictions=dict.fromkeys(one.predictions, answers))

    three = [
        answering(EARLY, [TRUTH] * SEEDS),
        answering(LATE, wrong),
        answering(IMAGE, wrong),
        answering(BASE, wrong),
    ]
    rows = comparison.comparison_tables(three, FOLD, TRUTH, COMPONENT, IDS, CLASSES, options, 7)[
        "paired"
    ]
    sure = {(row["model"], row["other"]): row["corrected"] for row in rows}
    assert sure["early", "image"] < 0.05
    assert sure["early", "base"] < 0.05
