"""Trials: who is held against whom. Each probe's are a function of the seed and its own id.

A probe is held against its own person, and against other people of its fold, of whom some are
drawn. Where it is known what is said, a trial's enrolled samples say something else, or the first
says the same, and both are drawn. A sample is never held against itself, nor two people of one
circle against each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np

from pipeline.core.randomness import generator
from pipeline.models.verification.people import People

# Whether the first enrolled sample says the same as the probe.
CONTENTS = (False, True)


@dataclass(frozen=True)
class Trials:
    """Trials (t).

    Parameters
    ----------
    enrolled, probe:
        Rows of the people's samples, int (t, k) and int (t,).
    same, same_content:
        Whether they are of one person, and whether an enrolled sample says the same, bool (t,).
    fold:
        That of both sides, int (t,); folds of a further seed count on.
    """

    enrolled: np.ndarray
    probe: np.ndarray
    same: np.ndarray
    same_content: np.ndarray
    fold: np.ndarray

    def __len__(self) -> int:
        return len(self.probe)

    def take(self, rows: np.ndarray) -> Trials:
        return Trials(**{name: values[rows] for name, values in vars(self).items()})

    @classmethod
    def joined(cls, each: Sequence[Trials]) -> Trials:
        """All of them, in their order."""
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(trials, name) for trials in each]) for name in names))


def draw_trials(people: People, fold: np.ndarray, count: int, impostors: int, seed: int) -> Trials:
    """All trials with `count` enrolled samples and, a probe and content, so many impostors at most.

    fold: int (n,), of each sample.
    """
    rows_of = {person: np.flatnonzero(people.person == person) for person in set(people.person)}
    trials = [
        (*enrolled, probe, same, same_content)
        for probe in range(len(people.person))
        for enrolled, same, same_content in _of_probe(
            people, fold, rows_of, probe, count, impostors, seed
        )
    ]
    table = np.array(trials, np.int64).reshape(-1, count + 3)
    probe = table[:, count]
    return Trials(
        table[:, :count], probe, table[:, -2].astype(bool), table[:, -1].astype(bool), fold[probe]
    )


def _of_probe(
    people: People,
    fold: np.ndarray,
    rows_of: dict[int, np.ndarray],
    probe: int,
    count: int,
    impostors: int,
    seed: int,
) -> Iterator[tuple[list[int], bool, bool]]:
    """Enrolled rows, whether they are the probe's person's, and whether one says the same."""
    rng = generator(seed, "trials", count, people.sample_ids[probe])
    own = people.person[probe]
    others = [
        person
        for person, rows in rows_of.items()
        if fold[rows[0]] == fold[probe] and people.circle[rows[0]] != people.circle[probe]
    ]
    others.sort()
    for same_content in CONTENTS:
        drawn = 0
        for person in (own, *rng.permutation(others).tolist()):
            if drawn == impostors:
                break
            enrolled = _draw(people, rows_of[person], probe, count, same_content, rng)
            if enrolled is not None:
                drawn += person != own
                yield enrolled, person == own, same_content


def _draw(
    people: People,
    rows: np.ndarray,
    probe: int,
    count: int,
    same_content: bool,
    rng: np.random.Generator,
) -> list[int] | None:
    """`count` of a person's rows, the first of the probe's content if that is asked for.

    None where the person has not as many.
    """
    rows = rows[rows != probe]
    content = people.content[probe]
    alike = (people.content[rows] == content) & (content != "")
    rest = rng.permutation(rows[~alike])
    if not same_content:
        return rest[:count].tolist() if len(rest) >= count else None
    if not alike.any() or len(rest) < count - 1:
        return None
    return [int(rng.choice(rows[alike])), *rest[: count - 1].tolist()]
