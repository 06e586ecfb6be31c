"""How well one modality finds another in the space that they share.

Asked with a picture, say, the names of the split are ranked by the cosine. Right is every name that
stands beside the picture in a sample; its rank is one more than the number of wrong names that are
as near as the nearest right one, or nearer. Wrong are those of other components alone: what else is
of its own, such as a twin's name or another drawing by the same hand, counts neither way, as in
training. Contents that several samples of a component share are asked, and stand among the answers,
once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
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
        The row of the nearest answer that is right or wrong, int64 (q,).
    right, wrong:
        How many answers are, int64 (q,).
    """

    asked: np.ndarray
    rank: np.ndarray
    nearest: np.ndarray
    right: np.ndarray
    wrong: np.ndarray

    def take(self, questions: np.ndarray) -> Answered:
        """Some of the questions: bool (q,) or places."""
        return Answered(*(getattr(self, each.name)[questions] for each in fields(self)))

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
        wrong = self.wrong[:, None] - np.arange(cut)
        answers = wrong + self.right[:, None]
        return np.asarray(1 - (wrong.clip(min=0) / answers.clip(min=1)).prod(1))


class Retrieval:
    """Every modality of some examples, asked for every other."""

    def __init__(self, examples: Examples) -> None:
        self.modalities = examples.modalities
        self._component = np.unique(examples.component, return_inverse=True)[1]
        self._first = [_first_rows(examples, self._component, m) for m in self.modalities]

    def __call__(
        self, vectors: np.ndarray, has: np.ndarray
    ) -> Iterator[tuple[tuple[str, str], Answered]]:
        """(asked, answering modality) → what came of it, for all in which a question has an answer.

        vectors: (n, modalities, dimension) of length 1; has: bool (n, modalities).
        """
        for asked, answering in permutations(range(len(self.modalities)), 2):
            paired = has[:, asked] & has[:, answering]
            if paired.any():
                yield (
                    (self.modalities[asked], self.modalities[answering]),
                    rank_answers(
                        vectors[:, asked],
                        vectors[:, answering],
                        self._first[asked][paired],
                        self._first[answering][paired],
                        np.unique(self._first[answering][has[:, answering]]),
                        self._component,
                    ),
                )

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
    right: np.ndarray,
    answering: np.ndarray,
    component: np.ndarray,
) -> Answered:
    """Rank rows of `answers` for rows of `questions`, both (n, dimension), block by block.

    Parameters
    ----------
    asked, right:
        Pair by pair the row of a question and that of a right answer, int64 (pairs,).
    answering:
        The rows that are ranked, int64, rising.
    component:
        int64 (n,).
    """
    asked, question = np.unique(asked, return_inverse=True)
    place = np.searchsorted(answering, right)
    rank = np.empty(len(asked), np.int64)
    nearest, right_count, wrong_count = rank.copy(), rank.copy(), rank.copy()
    size = max(1, LARGEST // len(answering))
    for start in range(0, len(asked), size):
        block = slice(start, start + size)
        cosine = questions[asked[block]] @ answers[answering].T
        inside = (question >= start) & (question < start + size)
        is_right = np.zeros(cosine.shape, bool)
        is_right[question[inside] - start, place[inside]] = True
        is_wrong = component[asked[block], None] != component[answering]
        best = np.where(is_right, cosine, -np.inf).max(1, keepdims=True)
        rank[block] = 1 + ((cosine >= best) & is_wrong).sum(1)
        nearest[block] = answering[np.where(is_right | is_wrong, cosine, -np.inf).argmax(1)]
        right_count[block], wrong_count[block] = is_right.sum(1), is_wrong.sum(1)
    return Answered(asked, rank, nearest, right_count, wrong_count)


def _first_rows(examples: Examples, component: np.ndarray, modality: str) -> np.ndarray:
    """Of each row the first of its component with the same content, int64 (n,); -1: it has none."""
    columns = [i for i, spec in enumerate(examples.sets) if spec.modality == modality]
    first = np.full(len(examples), -1)
    rows: dict[tuple[int, bytes], int] = {}
    for row in np.flatnonzero(examples.present[:, columns].any(1)):
        content = b"".join(
            examples.values[examples.sets[i].name][0, row].tobytes()
            for i in columns
            if examples.present[row, i]
        )
        first[row] = rows.setdefault((int(component[row]), content), int(row))
    return first
