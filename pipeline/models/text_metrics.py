"""Figures of answers that are texts, each beside one truth, from sums over the answers.

- `chrf` (Popović 2015) as sacrebleu has it: character n-grams up to 6 without blanks, F with β = 2,
  of one precision and one recall, means over n;
- `exact_match`: the share of answers that are their truth, letter by letter;
- `bleu` (Papineni et al. 2002): word n-grams up to 4, no smoothing;
- `cider`: CIDEr-D (Vedantam et al. 2015, arXiv:1411.5726) of word n-grams up to 4, 0 to 10, with
  document frequencies of the truths that are measured;
- `self_retrieval`: the share of answers that are nearer to their own truth than to any other among
  these, by the cosine of n-grams of 2 to 4 characters, weighed by rarity (tf-idf); of several
  that are as near each counts its part. An answer that fits everything finds nothing.

A word is a run of letters and digits, or a sign by itself. All but `cider` are 0 to 1.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.models.metrics import ratio

CHARACTERS, WORDS, BETA, SIGMA = 6, 4, 2, 6.0
WORD = re.compile(r"\w+|[^\w\s]")
# Answers whose nearest truths are sought at once, a bound on memory.
BLOCK = 1024
# Answers, exact ones, their words, the truths' words, the sums of CIDEr and of what was found.
TERMS = 6


def statistics(truth: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """Of each pair of texts, object (n,), what sums are made of, float64 (n, terms)."""
    true, said = ([WORD.findall(text) for text in texts] for texts in (truth, answer))
    frequency = Counter(gram for words in true for gram in _all_ngrams(words))
    terms = np.zeros((len(truth), TERMS + 3 * (CHARACTERS + WORDS)))
    terms[:, 5] = _retrieved(truth, answer)
    for row, (t, a) in enumerate(zip(truth, answer, strict=True)):
        cider = _cider(true[row], said[row], frequency, len(truth))
        terms[row, :5] = 1, t == a, len(said[row]), len(true[row]), cider
        letters = _matches("".join(t.split()), "".join(a.split()), CHARACTERS)
        terms[row, TERMS:] = [*letters, *_matches(true[row], said[row], WORDS)]
    return terms


def from_sums(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Figures of any number of sums at once: (…, terms) → (…) each."""
    count, exact, said, true, cider, retrieved = np.moveaxis(sums[..., :TERMS], -1, 0)
    cut = TERMS + 3 * CHARACTERS
    characters = sums[..., TERMS:cut].reshape(*sums.shape[:-1], CHARACTERS, 3)
    words = sums[..., cut:].reshape(*sums.shape[:-1], WORDS, 3)
    return {
        "chrf": _chrf(characters),
        "exact_match": ratio(exact, count),
        "bleu": _bleu(words, said, true),
        "cider": ratio(cider, count),
        "self_retrieval": ratio(retrieved, count),
    }


def _ngrams(units: Sequence[str], n: int) -> Counter[Any]:
    places = range(len(units) - n + 1)
    return Counter(
        units[i : i + n] if isinstance(units, str) else tuple(units[i : i + n]) for i in places
    )


def _all_ngrams(words: Sequence[str]) -> set[tuple[str, ...]]:
    return {gram for n in range(1, WORDS + 1) for gram in _ngrams(words, n)}


def _matches(true: Sequence[str], said: Sequence[str], longest: int) -> list[int]:
    """Of each n, how many n-grams the answer has, the truth has, and are in both.

    An answer's do not count where the truth is too short for any.
    """
    counts: list[int] = []
    for n in range(1, longest + 1):
        of_truth, of_answer = _ngrams(true, n), _ngrams(said, n)
        own = of_answer.total() if of_truth else 0
        counts += [own, of_truth.total(), (of_truth & of_answer).total()]
    return counts


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
    with np.errstate(divide="ignore"):
        mean = np.exp(np.log(ratio(both, of_answer)).mean(-1))
    brevity = np.exp(np.minimum(0.0, 1 - ratio(true, said)))
    return np.asarray(np.where(said > 0, mean * brevity, 0.0))


def _cider(
    true: Sequence[str], said: Sequence[str], frequency: Mapping[Any, int], documents: int
) -> float:
    def weigh(counts: Counter[Any]) -> dict[Any, float]:
        return {
            gram: count * (math.log(documents) - math.log(max(frequency.get(gram, 0), 1)))
            for gram, count in counts.items()
        }

    total = 0.0
    for n in range(1, WORDS + 1):
        of_truth, of_answer = weigh(_ngrams(true, n)), weigh(_ngrams(said, n))
        dot = sum(min(of_answer[g], w) * w for g, w in of_truth.items() if g in of_answer)
        if dot:
            norms = (math.hypot(*vector.values()) for vector in (of_truth, of_answer))
            total += dot / math.prod(norms)
    return 10 / WORDS * total * math.exp(-((len(true) - len(said)) ** 2) / (2 * SIGMA**2))


def _retrieved(truth: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """How much of each answer's own truth is the nearest to it, float64 (n,) of 0 to 1."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    shares = np.zeros(len(truth))
    texts, own = np.unique(truth.astype(str), return_inverse=True)
    if not any(text.strip() for text in texts):
        return shares
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), lowercase=False)
    library = vectors.fit_transform(texts)
    for start in range(0, len(truth), BLOCK):
        rows = slice(start, start + BLOCK)
        near = (vectors.transform(answer[rows]) @ library.T).toarray()
        best = near.max(1, keepdims=True)
        nearest = (near >= best - 1e-9) & (best > 0)
        hits = nearest[np.arange(len(near)), own[rows]]
        shares[rows] = ratio(hits, nearest.sum(1))
    return shares
