"""Samples by person, and what there is of each: what trials are drawn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.core.errors import PipelineError, unknown
from pipeline.core.randomness import entropy
from pipeline.models.verification.options import GROUP, VerificationOptions
from pipeline.store.join import Joined


@dataclass(frozen=True)
class People:
    """Samples (n) of known people, row by row.

    Parameters
    ----------
    names:
        The people, by index.
    person, circle:
        int (n,). People of one circle share a component, so that they may be one and the same: no
        trial tells them apart, and no fold parts them.
    content:
        What is said or shown, str (n,), empty where that is not known.
    vectors, present:
        Feature set → float32 (n, D), and whether the sample has it, bool (n,).
    left_out:
        Why other samples are in no trial → how many.
    """

    sample_ids: list[str]
    names: list[str]
    person: np.ndarray
    circle: np.ndarray
    content: np.ndarray
    vectors: dict[str, np.ndarray]
    present: dict[str, np.ndarray]
    left_out: dict[str, int]

    def take(self, rows: np.ndarray) -> People:
        """The rows of a mask or of indices; people keep their index."""
        return People(
            [self.sample_ids[row] for row in np.arange(len(self.person))[rows]],
            self.names,
            self.person[rows],
            self.circle[rows],
            self.content[rows],
            {name: values[rows] for name, values in self.vectors.items()},
            {name: mask[rows] for name, mask in self.present.items()},
            self.left_out,
        )


def people_of(joined: Joined, options: VerificationOptions, seed: int) -> People:
    """The samples of all people, at most `options.clips` of each, by sample id.

    Of samples of a person that are equal in every feature set one is kept.

    Raises
    ------
    PipelineError
        Nothing names the people or the content so, or too few circles are left for the folds.
    """
    person = _column(joined, options.people, "people")
    content = (
        np.full(len(person), None, object)
        if options.content is None
        else _column(joined, options.content, "content")
    )
    vectors = {name: pooled(joined.values[name], joined.lengths[name]) for name in options.features}
    reasons: list[str] = [""] * len(person)
    kept: dict[str, list[int]] = {}
    seen: set[tuple[Any, ...]] = set()
    order = sorted(
        range(len(person)), key=lambda row: entropy(seed, "clips", joined.sample_ids[row])
    )
    for row in order:
        looks = tuple(vectors[name][row].tobytes() for name in options.features)
        if person[row] is None:
            reasons[row] = "no_person"
        elif not any(joined.present[name][row] for name in options.features):
            reasons[row] = "no_features"
        elif (person[row], looks) in seen:
            reasons[row] = "equal_to_another"
        elif len(kept.setdefault(person[row], [])) == options.clips:
            reasons[row] = "beyond_clips"
        else:
            kept[person[row]].append(row)
            seen.add((person[row], looks))
    rows = np.array(
        sorted((row for each in kept.values() for row in each), key=joined.sample_ids.__getitem__),
        np.int64,
    )
    names = sorted(kept)
    index = {name: place for place, name in enumerate(names)}
    people = People(
        [joined.sample_ids[row] for row in rows],
        names,
        np.array([index[person[row]] for row in rows], np.int64),
        np.array([], np.int64),
        np.array([content[row] or "" for row in rows], str),
        {name: values[rows] for name, values in vectors.items()},
        {name: joined.present[name][rows] for name in options.features},
        dict(sorted(Counter(filter(None, reasons)).items())),
    )
    circle = _circles(people.person, joined.component[rows], len(names))
    if (circles := len(np.unique(circle))) < 2 * options.folds:
        raise PipelineError(
            f"{circles} people that curation keeps apart are too few for {options.folds} folds, "
            f"each of which needs two to hold against each other: gather samples of more people, "
            f"or lower verification's folds"
        )
    return People(**{**vars(people), "circle": circle[people.person]})


def pooled(values: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Vectors, float32 (n, D), as they stand; of sequences (n, frames, bands) mean and deviation.

    Statistics pooling over the frames within each length (Snyder et al., "X-vectors", 2018):
    (n, 2 bands).
    """
    if values.ndim == 2:
        return values.astype(np.float32)
    within = np.arange(values.shape[1]) < lengths[:, None]
    count = np.maximum(lengths, 1)[:, None]
    mean = (values * within[..., None]).sum(1, dtype=np.float64) / count
    squares = ((values - mean[:, None]) ** 2 * within[..., None]).sum(1, dtype=np.float64) / count
    return np.hstack([mean, np.sqrt(squares)]).astype(np.float32)


def folds_of(people: People, count: int, seed: int) -> np.ndarray:
    """Fold of each row, int (n,): whole circles, dealt out so that folds have as many people."""
    rows_of = {circle: people.person[people.circle == circle] for circle in set(people.circle)}
    size = {circle: len(np.unique(rows)) for circle, rows in rows_of.items()}
    first = {circle: people.names[rows.min()] for circle, rows in rows_of.items()}
    filled = np.zeros(count, np.int64)
    fold = np.empty(len(people.person), np.int64)
    for circle in sorted(size, key=lambda c: (-size[c], entropy(seed, "folds", first[c]))):
        least = int(filled.argmin())
        filled[least] += size[circle]
        fold[people.circle == circle] = least
    return fold


def _column(joined: Joined, name: str, option: str) -> np.ndarray:
    """What the group, a target or an attribute is of each sample, as object array; None if not."""
    if name == GROUP:
        return joined.group.astype(object)
    if name in joined.targets:
        values: Mapping[int, Any] = dict(enumerate(joined.targets[name]))
    else:
        values = {row: pairs.get(name) for row, pairs in enumerate(joined.attributes)}
    told = [None if v is None or v != v else str(v) for v in map(values.get, range(len(values)))]
    if not any(told):
        known = {GROUP, *joined.targets, *(key for pairs in joined.attributes for key in pairs)}
        raise PipelineError(
            f"verification: {option}: {unknown('target or attribute', name, known)}"
        )
    return np.array(told, object)


def _circles(person: np.ndarray, component: np.ndarray, people: int) -> np.ndarray:
    """Circle of each person, int (people,): those whom components join, directly or by others."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    names, of_row = np.unique(component, return_inverse=True)
    nodes = people + len(names)
    links = coo_array((np.ones(len(person)), (person, people + of_row)), shape=(nodes, nodes))
    labels: np.ndarray = connected_components(links, directed=False)[1]
    return np.unique(labels[:people], return_inverse=True)[1]
