"""Fitted systems with their calibrations: people's vectors in, log-likelihood ratios out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.files.documents import document, reading
from pipeline.models.verification.calibration import Calibration, Calibrations, llr_of
from pipeline.models.verification.options import VerificationOptions
from pipeline.models.verification.people import People
from pipeline.models.verification.scorers import SCORERS, Arrays, Scorer
from pipeline.models.verification.trials import Trials

CARD, ARRAYS = "verifier.json", "verifier.safetensors"
# Trials that are scored together, a bound on memory.
BLOCK = 4096


@dataclass(frozen=True)
class Verifier:
    """What answers whether two samples are of one person.

    Parameters
    ----------
    scorers:
        System → what scores likeness.
    calibrations:
        Number of enrolled samples → system or fusion → its calibrations.
    made_by:
        Feature set, or stage of cleaning → fingerprint of what made it.
    """

    options: VerificationOptions
    scorers: Mapping[str, Scorer]
    calibrations: Mapping[int, Mapping[str, Calibrations]]
    made_by: Mapping[str, Mapping[str, Any]]

    def llr(self, people: People, trials: Trials, name: str = "") -> np.ndarray:
        """Natural log-likelihood ratios, (t,), by a system or fusion; empty: by that which answers.

        NaN where what it reads is missing. The calibration is that of as many enrolled samples, or
        of the most below.
        """
        name = name or self.options.answering
        counts = sorted(self.calibrations)
        count = max([c for c in counts if c <= trials.enrolled.shape[1]], default=counts[0])
        members = self.options.members[name]
        scores = np.stack([self.score(people, trials, system) for system in members], 1)
        return llr_of(self.calibrations[count][name], scores)

    def score(self, people: People, trials: Trials, system: str) -> np.ndarray:
        """Raw scores of one system, (t,); NaN where what it reads is missing."""
        vectors, present = system_vectors(people, self.options.systems[system].features)
        return score_trials(self.scorers[system], vectors, present, trials)


def system_vectors(people: People, features: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of several feature sets end to end, (n, D), and which samples have all, bool (n,)."""
    present = np.logical_and.reduce([people.present[name] for name in features])
    return np.hstack([people.vectors[name] for name in features]), present


def score_trials(
    scorer: Scorer, vectors: np.ndarray, present: np.ndarray, trials: Trials
) -> np.ndarray:
    """Raw scores, (t,), of samples' vectors, (n, D); NaN where a side has none of them.

    Of enrolled samples those that are present count.
    """
    embedded = scorer.embed(vectors)
    scores = np.full(len(trials), np.nan)
    for start in range(0, len(trials), BLOCK):
        rows = slice(start, start + BLOCK)
        enrolled, probe = trials.enrolled[rows], trials.probe[rows]
        known = present[enrolled]
        count = known.sum(1)
        total = np.zeros((len(probe), embedded.shape[1]))
        for column in range(enrolled.shape[1]):
            total += embedded[enrolled[:, column]] * known[:, column, None]
        mean = total / np.maximum(count, 1)[:, None]
        judged = (count > 0) & present[probe]
        scores[rows] = np.where(judged, scorer.score(mean, count, embedded[probe]), np.nan)
    return scores


def save_verifier(folder: Path, verifier: Verifier) -> None:
    """Write verifier.json and verifier.safetensors."""
    from safetensors.numpy import save

    arrays = {
        f"{system}/{name}": np.ascontiguousarray(values)
        for system, scorer in verifier.scorers.items()
        for name, values in scorer.arrays().items()
    }
    (folder / ARRAYS).write_bytes(save(arrays))
    card = {
        "options": verifier.options.model_dump(mode="json"),
        "calibrations": {
            str(count): {
                name: [
                    {"systems": subset, "weights": each.weights, "offset": each.offset}
                    for subset, each in calibrations.items()
                ]
                for name, calibrations in by_name.items()
            }
            for count, by_name in verifier.calibrations.items()
        },
        "made_by": verifier.made_by,
    }
    text = json.dumps(card, indent=1, ensure_ascii=False) + "\n"
    (folder / CARD).write_text(text, encoding="utf-8")


def load_verifier(card_path: Path, arrays_path: Path) -> Verifier:
    """Read a verifier back from its two files; PipelineError if one is damaged."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    from pipeline.core.errors import PipelineError

    try:
        arrays = load_file(arrays_path)
    except SafetensorError as error:
        raise PipelineError(f"{arrays_path} is damaged: {error}") from None
    with reading(card_path):
        card = document(card_path, dict[str, Any])
        options = VerificationOptions.model_validate(card["options"])
        scorers = {
            name: SCORERS[system.method].of(_arrays_of(arrays, name))
            for name, system in options.systems.items()
        }
        calibrations = {
            int(count): {
                name: {
                    tuple(each["systems"]): Calibration(tuple(each["weights"]), each["offset"])
                    for each in entries
                }
                for name, entries in by_name.items()
            }
            for count, by_name in card["calibrations"].items()
        }
    return Verifier(options, scorers, calibrations, card["made_by"])


def _arrays_of(arrays: Arrays, system: str) -> Arrays:
    prefix = f"{system}/"
    return {n.removeprefix(prefix): values for n, values in arrays.items() if n.startswith(prefix)}
