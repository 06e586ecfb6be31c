"""Which of many to show: deterministic, telling, and of as many kinds as there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from pipeline.core.files.digest import digest_bytes

STRATA = (
    ("wrong", True, "Wrong, and sure of it"),
    ("wrong", False, "Wrong, and unsure"),
    ("right", False, "Right, but unsure"),
    ("right", True, "Right, and sure of it"),
)


@dataclass(frozen=True)
class Answer:
    """What a model said of one test sample for one task; `top` its likeliest classes."""

    sample_id: str
    prediction: str
    truth: str
    confidence: float
    top: tuple[tuple[str, float], ...]

    @property
    def verdict(self) -> str:
        return "right" if self.prediction == self.truth else "wrong"


@dataclass(frozen=True)
class Stratum:
    """Answers of one sort, out of `of` such answers."""

    verdict: str
    title: str
    of: int
    answers: tuple[Answer, ...]


def strata(
    answers: Sequence[Answer], samples: Mapping[str, Mapping[str, Any]], most: int
) -> list[Stratum]:
    """Up to `most` answers, a quarter in each stratum: right or wrong, sure or not.

    Sure means at least the median confidence. The surest of the sure and the least sure of the
    others come first, told apart by tenths, then by the digest of the sample's id. No component
    is shown twice.

    Parameters
    ----------
    samples:
        Sample id → curated row.
    """
    middle = median(answer.confidence for answer in answers) if answers else 0.0
    component = {answer.sample_id: samples[answer.sample_id]["component"] for answer in answers}
    kinds = {a.sample_id: (a.truth, *samples[a.sample_id]["kinds"]) for a in answers}
    result: list[Stratum] = []
    taken: set[str] = set()
    for verdict, sure, title in STRATA:
        pool = {
            answer.sample_id: answer
            for answer in sorted(answers, key=_surest if sure else _least_sure)
            if answer.verdict == verdict and (answer.confidence >= middle) == sure
        }
        free = [key for key in pool if component[key] not in taken]
        chosen = pick_diverse(free, component, kinds, most // len(STRATA))
        taken |= {component[key] for key in chosen}
        if chosen:
            picked = tuple(pool[key] for key in chosen)
            result.append(Stratum(verdict, title, len(pool), picked))
    return result


def pick_diverse(
    keys: Sequence[str], owner: Mapping[str, str], kinds: Mapping[str, Sequence[str]], most: int
) -> list[str]:
    """Up to `most` keys, no two of one owner, each next one of the kinds picked least so far.

    Among equals the order of `keys` decides.
    """
    picked: list[str] = []
    taken: set[str] = set()
    seen: Counter[str] = Counter()
    while len(picked) < most:
        free = [key for key in keys if owner[key] not in taken]
        if not free:
            break
        best = min(free, key=lambda key: sum(seen[kind] for kind in kinds[key]))
        picked.append(best)
        taken.add(owner[best])
        seen.update(kinds[best])
    return picked


def by_digest(key: str) -> str:
    """A sorting key that is fixed and yet knows nothing of the alphabet."""
    return digest_bytes(key.encode())


def _surest(answer: Answer) -> tuple[int, str]:
    return -round(10 * answer.confidence), by_digest(answer.sample_id)


def _least_sure(answer: Answer) -> tuple[int, str]:
    return round(10 * answer.confidence), by_digest(answer.sample_id)
