"""Promote or hold: a challenger against the model in use, so that a year of luck promotes none.

What must be shown to promote, and what it costs to ask, is in `pipeline.monitoring.ledger`. The
gate asks as seldom as it can: a challenger that the validation split does not find better by the
margin costs the frozen test set no look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.core.randomness import generator
from pipeline.core.records import MIN_COMPONENTS
from pipeline.models.evaluation.bootstrap import interval, resample
from pipeline.monitoring.evidence import Evidence
from pipeline.monitoring.ledger import FRESH, FROZEN, Claim, Look, fresh_level, frozen_level
from pipeline.monitoring.options import GateOptions
from pipeline.monitoring.paired_answers import PairedAnswers, SliceGain, slice_gains

RESAMPLES = 1000
Verdict = Literal["promote", "hold"]
# What the gate goes by, and a paragraph.
Rule = tuple[str, str]


@dataclass(frozen=True)
class Costs:
    """What a model costs: milliseconds a sample to answer, CPU-seconds to train; None: unknown."""

    latency_ms: float | None = None
    training_seconds: float | None = None


@dataclass(frozen=True)
class Question:
    """What a night asks of the gate.

    Attributes
    ----------
    night:
        The run's name.
    champion, challenger:
        What names the models for good, such as their digests.
    recipe:
        Digest of what makes challengers but data: code, options. Another one begins a new stream.
    test_set:
        What the frozen components are called, such as the revision at which they were frozen.
    frozen:
        Answers to them.
    fresh:
        Answers to components of which no sample had landed when either model was trained: of the
        challenger of the last night, of this recipe. None: no such landed.
    weights:
        Of the classes, float (classes,); see `class_weights`.
    validation_gain:
        Gain of the mean over the validation split, by which models may be chosen freely; None: it
        is not known, and the frozen set is always asked.
    demands:
        What asks for a new model even if it is no better, such as "a class is new" or "samples
        were withdrawn".
    costs:
        Of the champion and of the challenger.
    """

    night: str
    champion: str
    challenger: str
    recipe: str
    test_set: str
    frozen: PairedAnswers
    weights: np.ndarray
    fresh: PairedAnswers | None = None
    validation_gain: float | None = None
    demands: Sequence[str] = ()
    costs: tuple[Costs, Costs] = (Costs(), Costs())


@dataclass(frozen=True)
class Decision:
    """What the gate says.

    Attributes
    ----------
    rule:
        `better`, `not_worse`; or what holds it: `costs`, `validation`, `evidence`, `margin`,
        `contradiction`, `slice`.
    why:
        One paragraph for a person.
    gain, low, high:
        Gain in balanced accuracy on the frozen components, and what holds 95 of 100 resamples of
        them: an interval of this one look, by which nothing is decided.
    macro_f1_gain:
        The same in macro-F1, without bounds.
    worst:
        The slice of frozen or fresh components that loses most.
    looks:
        To be appended to the ledger, whatever the verdict.
    """

    verdict: Verdict
    rule: str
    why: str
    gain: float
    low: float
    high: float
    macro_f1_gain: float
    worst: SliceGain | None
    looks: tuple[Look, ...]


def decide(question: Question, looks: Sequence[Look], options: GateOptions, seed: int) -> Decision:
    """Promote the challenger or hold it, and say why.

    Parameters
    ----------
    looks:
        All that were ever taken, in their order. Those of the same night count for nothing, so that
        a night that is judged again is judged alike.
    seed:
        Of the resamples, and of the permutation test of slices.
    """
    weights, frozen = question.weights, question.frozen
    gains = frozen.gains(weights)
    looks = [look for look in looks if look.night != question.night]
    low, high = _interval(gains, generator(seed, "gain", question.night))
    test_sets: dict[str, PairedAnswers] = {FROZEN: frozen}
    if question.fresh is not None:
        test_sets[FRESH] = question.fresh
    slices = slice_gains(test_sets, weights, seed)
    claims: tuple[Claim, ...] = ("better", "not_worse") if question.demands else ("better",)
    taken: list[Look] = []
    for claim in claims:
        taken += _looks(question, gains, looks, claim, options)
    shown = [look for look in taken if look.shown]
    rule, why = (
        _costs_too_much(question.costs, options)
        or _not_shown(question, float(gains.mean()), taken, options)
        or _slice_loses(slices, options)
        or _promotion(question, float(gains.mean()), shown)
    )
    return Decision(
        verdict="promote" if rule in claims else "hold",
        rule=rule,
        why=why,
        gain=float(gains.mean()),
        low=low,
        high=high,
        macro_f1_gain=frozen.macro_f1_gain(len(weights)),
        worst=slices[0] if slices else None,
        looks=tuple(taken),
    )


def _looks(
    question: Question,
    gains: np.ndarray,
    looks: Sequence[Look],
    claim: Claim,
    options: GateOptions,
) -> list[Look]:
    """Tonight's questions about one claim."""
    largest = float(question.weights.max())
    bound = 0.0 if claim == "better" else -options.tolerance
    taken = []
    if question.fresh is not None and len(question.fresh):
        level, evidence = fresh_level(
            looks,
            question.recipe,
            question.champion,
            claim,
            options.error * options.fresh_share,
        )
        fresh_gains = question.fresh.gains(question.weights)
        evidence = evidence.after(_scaled(fresh_gains, largest), bound / largest)
        taken.append(_look(question, FRESH, claim, question.recipe, fresh_gains, evidence, level))
    if claim == "not_worse" or _passes_validation(question, options):
        level = frozen_level(
            looks,
            question.test_set,
            question.champion,
            options.error * (1 - options.fresh_share),
        )
        evidence = Evidence().after(_scaled(gains, largest), bound / largest)
        taken.append(_look(question, FROZEN, claim, question.test_set, gains, evidence, level))
    return taken


def _look(
    question: Question,
    kind: Literal["frozen", "fresh"],
    claim: Claim,
    test_set: str,
    gains: np.ndarray,
    evidence: Evidence,
    level: float,
) -> Look:
    kept = kind == FRESH
    return Look(
        night=question.night,
        kind=kind,
        claim=claim,
        test_set=test_set,
        champion=question.champion,
        challenger=question.challenger,
        components=len(gains),
        gain=float(gains.mean()),
        e_value=evidence.value,
        level=level,
        log_wealth=evidence.log_wealth if kept else (),
        observations=evidence.observations if kept else 0,
        total=evidence.total if kept else 0.0,
    )


def _interval(gains: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Of the mean; all that it can be where components are few."""
    if len(gains) < MIN_COMPONENTS:
        return -1.0, 1.0
    return interval(resample(rng, len(gains), RESAMPLES) @ gains / len(gains), 0.95)


def _scaled(gains: np.ndarray, largest: float) -> np.ndarray:
    """From -1 to 1, which sums of weights miss by a last bit."""
    return np.clip(gains / largest, -1, 1)


def _passes_validation(question: Question, options: GateOptions) -> bool:
    return question.validation_gain is None or question.validation_gain >= options.margin


def _costs_too_much(costs: tuple[Costs, Costs], options: GateOptions) -> Rule | None:
    champion, challenger = costs
    for what, unit, before, after, most in (
        ("to answer", "ms a sample", champion.latency_ms, challenger.latency_ms, options.slower),
        (
            "to train",
            "CPU-seconds",
            champion.training_seconds,
            challenger.training_seconds,
            options.dearer,
        ),
    ):
        if before is not None and after is not None and after > most * before:
            return "costs", (
                f"Held: the challenger takes {after:.3g} {unit} {what}, the model in use "
                f"{before:.3g}; up to {most:g} times as much is allowed. The model in use stays."
            )
    return None


def _not_shown(
    question: Question, gain: float, taken: Sequence[Look], options: GateOptions
) -> Rule | None:
    """Why what was looked at doesn't suffice; None where it does."""
    shown = {look.claim: look for look in taken if look.shown}
    if gain < -options.tolerance and shown:
        return "contradiction", (
            f"Held: {_evidence(next(iter(shown.values())))} speaks for the challenger, but on the "
            f"frozen test components tonight's loses {_points(-gain)}, more than the "
            f"{_points(options.tolerance)} that pass for chance. The model in use stays."
        )
    if "not_worse" in shown or ("better" in shown and gain >= options.margin):
        return None
    if "better" in shown:
        return "margin", (
            f"Held: the challenger is better, but by {_points(gain)} on the frozen test "
            f"components, and a change is worth it from {_points(options.margin)} on. The model in "
            f"use stays."
        )
    if not taken:
        return "validation", (
            f"Held: on the validation split the challenger "
            f"{_gains(question.validation_gain or 0.0)}, and a change is worth it from "
            f"{_points(options.margin)} on, so the test components were not asked. The model in "
            f"use stays."
        )
    closest = max(taken, key=lambda look: look.e_value * look.level)
    luck = ", which may be luck" if gain > 0 else ""
    return "evidence", (
        f"Held: the challenger {_gains(gain)} on the frozen test components{luck}. "
        f"{_evidence(closest).capitalize()}; after what was asked before, {1 / closest.level:,.0f} "
        f": 1 would be enough. The model in use stays; nothing is lost, and tomorrow's challenger "
        f"is judged anew."
    )


def _slice_loses(slices: Sequence[SliceGain], options: GateOptions) -> Rule | None:
    for each in slices:
        if each.gain < -options.slice_tolerance and each.p <= options.slice_level:
            return "slice", (
                f"Held: the challenger is good enough on the whole, but loses "
                f"{_points(-each.gain)} where {each.attribute} is {each.value} "
                f"({each.components} {each.test_set} components, p = {each.p:.2g} corrected for "
                f"{len(slices)} slices). The model in use stays."
            )
    return None


def _promotion(question: Question, gain: float, shown: Sequence[Look]) -> Rule:
    strongest = max(shown, key=lambda look: (look.claim == "better", look.e_value * look.level))
    if strongest.claim == "better":
        return "better", (
            f"Promoted: the challenger is better, by {_points(gain)} on the frozen test "
            f"components. {_evidence(strongest).capitalize()}, and "
            f"{1 / strongest.level:,.0f} : 1 was asked."
        )
    return "not_worse", (
        f"Promoted, since {' and '.join(question.demands)}: the challenger is not worse "
        f"(it {_gains(gain)} on the frozen test components). {_evidence(strongest).capitalize()}, "
        f"and {1 / strongest.level:,.0f} : 1 was asked."
    )


def _evidence(look: Look) -> str:
    claim = "that it is better" if look.claim == "better" else "that it is not worse"
    components = (
        f"{look.observations} components that landed since"
        if look.kind == FRESH
        else f"{look.components} components"
    )
    odds = f"{look.e_value:,.{0 if look.e_value >= 10 else 1}f}"
    if look.e_value > 1e6:
        odds = "more than a million"
    return f"the evidence {claim} is {odds} : 1 over {components}"


def _gains(share: float) -> str:
    return f"{'loses' if share < 0 else 'gains'} {_points(abs(share))}"


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"
