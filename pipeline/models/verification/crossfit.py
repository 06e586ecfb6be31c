"""Every person tested by what others taught: systems, their calibrations, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.core.randomness import entropy
from pipeline.models.verification.calibration import Calibrations, fit_calibrations, llr_of
from pipeline.models.verification.options import VerificationOptions
from pipeline.models.verification.people import People, folds_of
from pipeline.models.verification.scorers import SCORERS, Scorer
from pipeline.models.verification.trials import Trials, draw_trials
from pipeline.models.verification.verifier import Verifier, score_trials, system_vectors


@dataclass(frozen=True)
class Judged:
    """Trials with as many enrolled samples each, and what the systems say of them.

    Parameters
    ----------
    scores:
        Raw, by systems that had seen neither side: float64 (t, systems), NaN where there is none.
    ratios:
        System or fusion → log-likelihood ratios, (t,), by a calibration that had not either.
    """

    trials: Trials
    scores: np.ndarray
    ratios: Mapping[str, np.ndarray]


def cross_fit(
    people: People,
    options: VerificationOptions,
    seed: int,
    made_by: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[dict[int, Judged], Verifier]:
    """Number of enrolled samples → trials as judged, and the verifier that is to be used.

    Of the folds of people one is tested, the next calibrates, the rest teach, in turn; so each
    trial is judged by what knew neither of its people. People are dealt out and trials drawn by
    several seeds, so that figures depend less on who taught whom. The verifier is taught by all
    people, and calibrated on the scores of all these trials.
    """
    rounds = [
        _judge(people, options, number, entropy(seed, "verification", number))
        for number in range(options.seeds)
    ]
    judged = {
        count: Judged(
            Trials.joined([each[count].trials for each in rounds]),
            np.concatenate([each[count].scores for each in rounds]),
            {
                name: np.concatenate([each[count].ratios[name] for each in rounds])
                for name in options.members
            },
        )
        for count in options.enrolled
    }
    calibrations = {
        count: _calibrate(each.scores, each.trials.same, options) for count, each in judged.items()
    }
    return judged, Verifier(options, _fit(people, options, seed), calibrations, made_by or {})


def _judge(
    people: People, options: VerificationOptions, number: int, seed: int
) -> dict[int, Judged]:
    """The trials of one seed, the `number`th."""
    fold = folds_of(people, options.folds, seed)
    trials = {
        count: draw_trials(people, fold, count, options.impostors, seed)
        for count in options.enrolled
    }
    judged = {
        count: Judged(
            replace(each, fold=each.fold + number * options.folds),
            np.full((len(each), len(options.systems)), np.nan),
            {name: np.full(len(each), np.nan) for name in options.members},
        )
        for count, each in trials.items()
    }
    for tested in range(options.folds):
        held = (tested + 1) % options.folds
        scorers = _fit(people.take(~np.isin(fold, (tested, held))), options, seed)
        for count, each in trials.items():
            rows, calibrating = each.fold == tested, each.take(each.fold == held)
            scores = _scores(people, each.take(rows), scorers, options)
            judged[count].scores[rows] = scores
            known = _scores(people, calibrating, scorers, options)
            for name, calibrations in _calibrate(known, calibrating.same, options).items():
                columns = options.columns(name)
                judged[count].ratios[name][rows] = llr_of(calibrations, scores[:, columns])
    return judged


def _calibrate(
    scores: np.ndarray, same: np.ndarray, options: VerificationOptions
) -> dict[str, Calibrations]:
    """System or fusion → its calibrations on raw scores, (t, systems)."""
    return {
        name: fit_calibrations(scores[:, options.columns(name)], same, options.prior)
        for name in options.members
    }


def _fit(people: People, options: VerificationOptions, seed: int) -> dict[str, Scorer]:
    scorers = {}
    for name, system in options.systems.items():
        vectors, present = system_vectors(people, system.features)
        scorers[name] = SCORERS[system.method].fit(
            vectors[present], people.take(present), system.dimensions, seed
        )
    return scorers


def _scores(
    people: People, trials: Trials, scorers: Mapping[str, Scorer], options: VerificationOptions
) -> np.ndarray:
    """Raw scores, (t, systems)."""
    columns = [
        score_trials(scorer, *system_vectors(people, options.systems[name].features), trials)
        for name, scorer in scorers.items()
    ]
    return np.stack(columns, 1)
