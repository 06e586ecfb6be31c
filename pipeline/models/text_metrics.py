"""Figures of answers that are texts, each beside one truth, from sums over the answers.

chrF (Popović 2015) as sacrebleu has it: character n-grams up to 6 without blanks, F with β = 2, one
precision and recall each as the mean over n. BLEU (Papineni et al. 2002): word n-grams up to 4, no
smoothing. A word is a run of letters and digits, or a sign by itself. `exact_match` is
the share of answers that are their truth, letter by letter. All are shares, 0 to 1.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.models.metrics import ratio

CHARACTERS, WORDS, BETA = 6, 4, 2
WORD = re.compile(r"\w+|[^\w\s]")


def statistics(truth: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """Of each pair of texts, object (n,), what sums are made of, float64 (n, terms)."""
    return np.array([_pair(t, a) for t, a in zip(truth, answer, strict=True)], np.float64).reshape(
        len(truth), 4 + 3 * (CHARACTERS + WORDS)
    )


def from_sums(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Figures of any number of sums at once: (…, terms) → (…) each."""
    count, exact, said, true = np.moveaxis(sums[..., :4], -1, 0)
    cut = 4 + 3 * CHARACTERS
    characters = sums[..., 4:cut].reshape(*sums.shape[:-1], CHARACTERS, 3)
    words = sums[..., cut:].reshape(*sums.shape[:-1], WORDS, 3)
    return {
        "chrf": _chrf(characters),
        "exact_match": ratio(exact, count),
        "bleu": _bleu(words, said, true),
    }


def _pair(truth: str, answer: str) -> list[int]:
    letters = "".join(truth.split()), "".join(answer.split())
    words = WORD.findall(truth), WORD.findall(answer)
    terms = [1, truth == answer, len(words[1]), len(words[0])]
    for (true, said), longest in ((letters, CHARACTERS), (words, WORDS)):
        for n in range(1, longest + 1):
            terms += _matches(_ngrams(true, n), _ngrams(said, n))
    return terms


def _ngrams(units: Sequence[str], n: int) -> Counter[Any]:
    places = range(len(units) - n + 1)
    return Counter(
        units[i : i + n] if isinstance(units, str) else tuple(units[i : i + n]) for i in places
    )


def _matches(true: Counter[Any], said: Counter[Any]) -> list[int]:
    """How many n-grams the answer has, the truth has, and are in both.

    An answer's do not count where the truth is too short for any.
    """
    return [said.total() if true else 0, true.total(), (true & said).total()]


def _chrf(counts: np.ndarray) -> np.ndarray:
    said, true, both = np.moveaxis(counts, -1, 0)
    # An n that either side is too short for does not count.
    counted = (said > 0) & (true > 0)
    orders = counted.sum(-1)
    precision = ratio(ratio(both, said).sum(-1, where=counted), orders)
    recall = ratio(ratio(both, true).sum(-1, where=counted), orders)
    return ratio((1 + BETA**2) * precision * recall, BETA**2 * precision + recall)


def _bleu(counts: np.ndarray, said: np.ndarray, true: np.ndarray) -> np.ndarray:
    of_answer, _, both = np.moveaxis(counts, -1, 0)
    precision = ratio(both, of_answer)
    with np.errstate(divide="ignore"):
        mean = np.exp(np.log(precision).mean(-1))
    brevity = np.exp(np.minimum(0.0, 1 - ratio(true, said)))
    return np.asarray(np.where(said > 0, mean * brevity, 0.0))
