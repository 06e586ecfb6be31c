"""Every person tested by what others taught: systems, their calibrations, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.models.verification.calibration import fit_calibrations, llr_of
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
    trial is judged once, by what knew neither of its people. The verifier is taught by all people,
    and calibrated on the scores of those trials.
    """
    fold = folds_of(people, options.folds, seed)
    systems = list(options.systems)
    trials = {
        count: draw_trials(people, fold, count, options.impostors, seed)
        for count in options.enrolled
    }
    scores = {count: np.full((len(each), len(systems)), np.nan) for count, each in trials.items()}
    ratios = {
        count: {name: np.full(len(each), np.nan) for name in options.members}
        for count, each in trials.items()
    }
    for number in range(options.folds):
        held = (number + 1) % options.folds
        scorers = _fit(people.take(~np.isin(fold, (number, held))), options, seed)
        for count, each in trials.items():
            tested, calibrating = (each.fold == f for f in (number, held))
            known = _scores(people, each.take(calibrating), scorers, options)
            scores[count][tested] = _scores(people, each.take(tested), scorers, options)
            for name, members in options.members.items():
                columns = [systems.index(member) for member in members]
                calibrations = fit_calibrations(
                    known[:, columns], each.same[calibrating], options.prior
                )
                judged = llr_of(calibrations, scores[count][tested][:, columns])
                ratios[count][name][tested] = judged
    calibrations_by_count = {
        count: {
            name: fit_calibrations(
                scores[count][:, [systems.index(member) for member in members]],
                each.same,
                options.prior,
            )
            for name, members in options.members.items()
        }
        for count, each in trials.items()
    }
    verifier = Verifier(options, _fit(people, options, seed), calibrations_by_count, made_by or {})
    return {n: Judged(trials[n], scores[n], ratios[n]) for n in trials}, verifier


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
