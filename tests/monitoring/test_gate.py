"""The gate: luck promotes none in 400 nights, a gain is found, and each verdict says its reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks import gate_nights
from benchmarks.gate_nights import Nights, nights_to_naive_promotion, nights_to_promotion
from pipeline.monitoring.evidence import Evidence
from pipeline.monitoring.gate import Costs, Question, decide
from pipeline.monitoring.ledger import Look, fresh_level, frozen_level
from pipeline.monitoring.options import GateOptions
from pipeline.monitoring.paired_answers import PairedAnswers, class_weights, slice_gains
from pipeline.monitoring.spending import series

OPTIONS = GateOptions()
EVEN = np.ones(2)


def answers(won: int, lost: int, components: int, **slices: np.ndarray) -> PairedAnswers:
    """The challenger alone is right on the first `won`, the champion alone on the next `lost`."""
    place = np.arange(components)
    return PairedAnswers(
        component=np.array([f"c{i:05}" for i in place]),
        truth=np.ones(components, int),
        champion=(place >= won).astype(int),
        challenger=((place < won) | (place >= won + lost)).astype(int),
        slices=slices,
    )


def question(frozen: PairedAnswers, **changed: object) -> Question:
    given = {"champion": "a", "challenger": "b", "recipe": "r", "test_set": "t", **changed}
    return Question("night 1", frozen=frozen, weights=EVEN, **given)  # type: ignore[arg-type]


def test_luck_promotes_none_in_400_nights_but_for_the_error_that_is_allowed() -> None:
    """False promotions of 1,000 years and more, held to the error by an exact binomial test."""
    lucky = nights_to_promotion(Nights(), OPTIONS, 1000, seed=0) > 0
    assert binom.sf(lucky.sum() - 1, len(lucky), OPTIONS.error) > 0.01
    assert lucky.mean() <= OPTIONS.error
    # The world is hard enough: who promotes at p < 0.05 each night is fooled most of the time.
    assert (nights_to_naive_promotion(Nights(), 200, seed=0) > 0).mean() > 0.5


@pytest.mark.parametrize(
    ("world", "by", "power"),
    [
        (Nights(frozen=1200, validation=1200), 30, 0.5),
        (Nights(fresh=60), 90, 0.95),
        (Nights(), 365, 0.95),
    ],
)
def test_a_gain_of_three_points_is_found(world: Nights, by: int, power: float) -> None:
    night = nights_to_promotion(replace(world, gain=0.03), OPTIONS, 200, seed=1)
    assert ((night > 0) & (night <= by)).mean() >= power


def test_the_simulated_gate_is_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """One repetition, night by night through `decide`, promotes on the same night."""
    outcomes: list[np.ndarray] = []
    drawn = gate_nights._outcomes

    def kept(*arguments, **named):
        outcomes.append(drawn(*arguments, **named))
        return outcomes[-1]

    monkeypatch.setattr(gate_nights, "_outcomes", kept)
    world = Nights(nights=25, fresh=40, gain=0.03)
    nights = nights_to_promotion(world, OPTIONS, 8, seed=3)
    frozen, validation, fresh = outcomes
    for repetition, expected in enumerate(nights.tolist()):
        looks: list[Look] = []
        promoted = 0
        for night in range(world.nights):
            won, lost = validation[repetition, night]
            tonight = replace(
                question(
                    answers(*frozen[repetition, night], world.frozen),
                    # Of the challenger of the night before, which the first night has not.
                    fresh=answers(*fresh[repetition, night], world.fresh) if night else None,
                    validation_gain=(won - lost) / world.validation,
                ),
                night=str(night),
            )
            decision = decide(tonight, looks, OPTIONS, seed=0)
            looks += decision.looks
            if decision.verdict == "promote":
                promoted = night + 1
                break
        assert promoted == expected
    assert 0 in nights
    assert nights.max() > 1


def test_levels_of_all_histories_sum_to_no_more_than_the_error() -> None:
    """Of four looks: every way in which promotions may fall among them."""

    def levels(looks: list[Look], champion: str) -> float:
        level = frozen_level(looks, "t", champion, 0.05)
        if len(looks) == 3:
            return level
        name = f"{champion}{len(looks)}"
        look = Look(str(len(looks)), "frozen", "better", "t", champion, name, 9, 0.0, 1.0, level)
        return level + levels([*looks, look], champion) + levels([*looks, look], name)

    spent = [0.0]
    for night in range(1, 1001):
        spent.append(sum(series(r) / 2 * (1 + spent[night - r]) for r in range(1, night + 1)))
    assert levels([], "a") == pytest.approx(0.05 * spent[4])
    assert spent[4] < 0.9 < spent[-1] < 1
    assert frozen_level([], "t", "a", 0.05) == pytest.approx(0.05 * series(1) / 2)
    assert sum(map(series, range(1, 200_000))) == pytest.approx(1, abs=2e-3)


def test_a_stream_keeps_its_wealth_and_ends_with_the_recipe() -> None:
    fresh = answers(6, 1, 30)
    first = decide(question(answers(0, 0, 30), fresh=fresh), [], OPTIONS, 0)
    (look,) = (each for each in first.looks if each.kind == "fresh")
    level, evidence = fresh_level([look], "r", "a", "better", 0.025)
    assert (level, evidence.observations) == (pytest.approx(0.025 * series(1)), 30)
    assert evidence.value == pytest.approx(look.e_value)
    assert look.e_value > 1
    whole = Evidence().after(answers(12, 2, 60).gains(EVEN))
    assert evidence.after(fresh.gains(EVEN)).value == pytest.approx(whole.value)
    assert fresh_level([look], "other", "a", "better", 0.025) == (
        pytest.approx(0.025 * series(2)),
        Evidence(),
    )


def test_evidence_is_no_more_than_one_on_average() -> None:
    """The e-value of 6 tosses of a fair coin, over all 64 outcomes; it never uses the order."""
    tosses = 2.0 * ((np.arange(64)[:, None] >> np.arange(6)) & 1) - 1
    values = [Evidence().after(row).value for row in tosses]
    assert np.mean(values) == pytest.approx(1)
    assert Evidence().after(tosses[7]).value == pytest.approx(
        Evidence().after(tosses[7][::-1]).value
    )
    with pytest.raises(ValueError, match="within -1 and 1"):
        Evidence().after(np.array([1.5]))


def test_a_plain_winner_is_promoted_and_told_so() -> None:
    decision = decide(question(answers(60, 10, 400), validation_gain=0.1), [], OPTIONS, 0)
    assert (decision.verdict, decision.rule) == ("promote", "better")
    assert decision.gain == pytest.approx(0.125)
    assert decision.low > 0
    assert "12.5 points" in decision.why
    assert decision.why.startswith("Promoted")
    assert [look.shown for look in decision.looks] == [True]


def test_a_night_that_is_judged_again_is_judged_alike() -> None:
    asked = question(answers(20, 10, 400), fresh=answers(6, 1, 30))
    first = decide(asked, [], OPTIONS, 0)
    assert decide(asked, first.looks, OPTIONS, 0) == first
    later = decide(replace(asked, night="night 2"), first.looks, OPTIONS, 0)
    assert later.looks[0].observations == 60
    assert ": 1 over 60 components that landed since; after" in later.why
    assert later.looks[1].level < first.looks[1].level


def test_what_validation_does_not_prefer_costs_no_look() -> None:
    decision = decide(question(answers(60, 10, 400), validation_gain=0.0), [], OPTIONS, 0)
    assert (decision.verdict, decision.rule, decision.looks) == ("hold", "validation", ())


@pytest.mark.parametrize(
    ("asked", "options", "rule"),
    [
        ({"frozen": answers(12, 10, 400)}, OPTIONS, "evidence"),
        ({"frozen": answers(60, 10, 400)}, GateOptions(margin=0.2), "margin"),
        (
            {"frozen": answers(60, 10, 400), "costs": (Costs(1.0), Costs(2.0))},
            OPTIONS,
            "costs",
        ),
        ({"frozen": answers(5, 30, 400), "fresh": answers(90, 0, 100)}, OPTIONS, "contradiction"),
        (
            {"frozen": answers(90, 30, 400, kind=np.repeat(["x", "y", "z"], [90, 60, 250]))},
            OPTIONS,
            "slice",
        ),
    ],
)
def test_every_hold_says_its_reason(asked: dict, options: GateOptions, rule: str) -> None:
    decision = decide(question(**asked), [], options, 0)
    assert (decision.verdict, decision.rule) == ("hold", rule)
    assert decision.why.startswith("Held: ")
    assert "stays" in decision.why


def test_what_is_demanded_has_only_to_be_not_worse() -> None:
    frozen = answers(4, 4, 2000)
    assert decide(question(frozen), [], OPTIONS, 0).verdict == "hold"
    demanded = decide(question(frozen, demands=["a class is new"]), [], OPTIONS, 0)
    assert (demanded.verdict, demanded.rule) == ("promote", "not_worse")
    assert "since a class is new" in demanded.why
    worse = question(answers(4, 60, 2000), demands=["a class is new"])
    assert decide(worse, [], OPTIONS, 0).verdict == "hold"


def test_rare_classes_weigh_more_and_slices_are_by_component() -> None:
    truth = np.repeat([0, 1], [75, 25])
    weights = class_weights(truth, np.arange(100), 2)
    assert weights == pytest.approx([1 / 1.5, 1 / 0.5])
    rare = class_weights(np.repeat([0, 1], [99, 1]), np.arange(100), 2)
    assert rare[1] == pytest.approx(4 * rare[0])
    right = PairedAnswers(np.arange(100), truth, 1 - truth, truth)
    assert right.gains(weights).mean() == pytest.approx(1.0)
    component = np.repeat(np.arange(20), 5)
    kinds = np.where(component < 8, "few", "many")
    losing = PairedAnswers(
        component, truth, truth, np.where(kinds == "few", 1 - truth, truth), {"kind": kinds}
    )
    worst, other = slice_gains({"frozen": losing}, np.ones(2), 0)
    assert (worst.value, worst.components, worst.gain) == ("few", 8, -1.0)
    # All 8 signs fall one way in 1 of 256.
    assert worst.p == pytest.approx(2 / 256, abs=0.004)
    assert other.p == 1.0
