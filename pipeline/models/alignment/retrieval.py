"""How well one modality finds another in the space that they share.

Asked with a picture, say, the names of the split are ranked by the cosine. Right is every name of
the picture's component; its rank is one more than the number of wrong names that are as near as
the nearest right one, or nearer. Contents that several samples of a component share are asked, and
stand among the answers, once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from pipeline.models.examples import Examples

MEAN_RECALL = "mean_recall"
CUTS = (1, 5, 10)
# Cosines of a block of questions, at most.
LARGEST = 2**22


@dataclass(frozen=True)
class Answered:
    """What one modality, asked for another, gave.

    Attributes
    ----------
    asked:
        Rows of the examples whose content was asked, int64 (q,); only those with a right answer.
    rank:
        Of the first right answer, int64 (q,), from 1.
    nearest:
        The row of the nearest answer, int64 (q,).
    right, answers:
        How many answers are right, int64 (q,), of how many there are.
    """

    asked: np.ndarray
    rank: np.ndarray
    nearest: np.ndarray
    right: np.ndarray
    answers: int

    def figures(self, rows: np.ndarray | slice = slice(None)) -> dict[str, float]:
        """`recall_1`, `recall_5`, `recall_10`, `median_rank` of some questions; none of none."""
        rank = self.rank[rows]
        if not len(rank):
            return {}
        shares = {f"recall_{cut}": float((rank <= cut).mean()) for cut in CUTS}
        return {**shares, "median_rank": float(np.median(rank))}

    @property
    def chance(self) -> dict[str, float]:
        """What answers in random order give on average: of each recall."""
        return {f"recall_{cut}": float(self._chance(cut).mean()) for cut in CUTS}

    def _chance(self, cut: int) -> np.ndarray:
        """1 - C(wrong, cut) / C(answers, cut): that not all of the first are wrong, (q,)."""
        first = np.arange(min(cut, self.answers))
        wrong = (self.answers - self.right)[:, None] - first
        return np.asarray(1 - (wrong.clip(min=0) / (self.answers - first)).prod(1))


class Retrieval:
    """Every modality of some examples, asked for every other."""

    def __init__(self, examples: Examples) -> None:
        self.modalities = examples.modalities
        self._component = np.unique(examples.component, return_inverse=True)[1]
        self._distinct = [_distinct(examples, self._component, m) for m in self.modalities]

    def __call__(
        self, vectors: np.ndarray, has: np.ndarray
    ) -> Iterator[tuple[tuple[str, str], Answered]]:
        """(asked, answering modality) → what came of it, for all in which a question has an answer.

        vectors: (n, modalities, dimension) of length 1; has: bool (n, modalities).
        """
        rows = [distinct[has[distinct, m]] for m, distinct in enumerate(self._distinct)]
        for asked, answering in permutations(range(len(self.modalities)), 2):
            answered = rank_answers(
                vectors[:, asked],
                vectors[:, answering],
                rows[asked],
                rows[answering],
                self._component,
            )
            if len(answered.asked):
                yield (self.modalities[asked], self.modalities[answering]), answered

    def mean_recall(self, vectors: np.ndarray, has: np.ndarray) -> float:
        """The mean of the recalls at all cuts in all directions; 0 if there are none."""
        return mean_recall([answered.figures() for _, answered in self(vectors, has)])


def mean_recall(figures: list[dict[str, float]]) -> float:
    """Of the figures of several directions."""
    recalls = [each[f"recall_{cut}"] for each in figures for cut in CUTS]
    return float(np.mean(recalls)) if recalls else 0.0


def rank_answers(
    questions: np.ndarray,
    answers: np.ndarray,
    asked: np.ndarray,
    answering: np.ndarray,
    component: np.ndarray,
) -> Answered:
    """Rank some rows of `answers`, (n, dimension), for some rows of `questions`, block by block."""
    known = np.isin(component[asked], component[answering])
    asked = asked[known]
    rank = np.empty(len(asked), np.int64)
    nearest, right_count = rank.copy(), rank.copy()
    size = max(1, LARGEST // max(len(answering), 1))
    for start in range(0, len(asked), size):
        block = slice(start, start + size)
        cosine = questions[asked[block]] @ answers[answering].T
        right = component[asked[block], None] == component[answering]
        best = np.where(right, cosine, -np.inf).max(1, keepdims=True)
        rank[block] = 1 + ((cosine >= best) & ~right).sum(1)
        nearest[block] = answering[cosine.argmax(1)]
        right_count[block] = right.sum(1)
    return Answered(asked, rank, nearest, right_count, len(answering))


def _distinct(examples: Examples, component: np.ndarray, modality: str) -> np.ndarray:
    """The first row of each content of a modality in each component, int64, rising."""
    columns = [i for i, spec in enumerate(examples.sets) if spec.modality == modality]
    rows: dict[tuple[int, bytes], int] = {}
    for row in np.flatnonzero(examples.present[:, columns].any(1)):
        content = b"".join(
            examples.values[examples.sets[i].name][0, row].tobytes()
            for i in columns
            if examples.present[row, i]
        )
        rows.setdefault((int(component[row]), content), int(row))
    return np.array(sorted(rows.values()), np.int64)
