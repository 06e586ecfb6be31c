"""Samples by person, and what there is of each: what trials are drawn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
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
    content: list[str | None] = [None] * len(person)
    if options.content is not None:
        content = _column(joined, options.content, "content")
    vectors = {name: pooled(joined.values[name], joined.lengths[name]) for name in options.features}
    reasons = [""] * len(person)
    kept: dict[str, list[int]] = {}
    seen: set[tuple[Any, ...]] = set()
    order = sorted(
        range(len(person)), key=lambda row: entropy(seed, "clips", joined.sample_ids[row])
    )
    for row in order:
        name, looks = person[row], tuple(vectors[s][row].tobytes() for s in options.features)
        if name is None:
            reasons[row] = "no_person"
        elif not any(joined.present[s][row] for s in options.features):
            reasons[row] = "no_features"
        elif (name, looks) in seen:
            reasons[row] = "equal_to_another"
        elif len(kept.setdefault(name, [])) == options.clips:
            reasons[row] = "beyond_clips"
        else:
            kept[name].append(row)
            seen.add((name, looks))
    rows = np.array(
        sorted((row for each in kept.values() for row in each), key=joined.sample_ids.__getitem__),
        np.int64,
    )
    names = sorted(kept)
    index = {name: place for place, name in enumerate(names)}
    of_rows = np.array([index[str(person[row])] for row in rows], np.int64)
    circle = _circles(of_rows, joined.component[rows], len(names))
    repeated = np.bincount(of_rows, minlength=len(names)) > 1
    if (circles := len(np.unique(circle[repeated]))) < 2 * options.folds:
        raise PipelineError(
            f"{circles} people that curation keeps apart, with two samples or more each, are too "
            f"few for {options.folds} folds, each of which needs two to hold against each other: "
            f"gather samples of more people, or lower verification's folds"
        )
    return People(
        sample_ids=[joined.sample_ids[row] for row in rows],
        names=names,
        person=of_rows,
        circle=circle[of_rows],
        content=np.array([content[row] or "" for row in rows], str),
        vectors={name: values[rows] for name, values in vectors.items()},
        present={name: joined.present[name][rows] for name in options.features},
        left_out=dict(sorted(Counter(filter(None, reasons)).items())),
    )


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


def _column(joined: Joined, name: str, option: str) -> list[str | None]:
    """What the group, a target or an attribute is of each sample; groups are their source's own."""
    if name == GROUP:
        return [f"{s}/{group}" for s, group in zip(joined.source, joined.group, strict=True)]
    values: Iterable[Any] = (
        joined.targets[name]
        if name in joined.targets
        else [pairs.get(name) for pairs in joined.attributes]
    )
    # A number that is not there is NaN, which is not equal to itself.
    column = [None if value is None or value != value else str(value) for value in values]
    if not any(column):
        known = {GROUP, *joined.targets, *(key for pairs in joined.attributes for key in pairs)}
        raise PipelineError(
            f"verification: {option}: {unknown('target or attribute', name, known)}"
        )
    return column


def _circles(person: np.ndarray, component: np.ndarray, people: int) -> np.ndarray:
    """Circle of each person, int (people,): those whom components join, directly or by others."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    names, of_row = np.unique(component, return_inverse=True)
    nodes = people + len(names)
    links = coo_array((np.ones(len(person)), (person, people + of_row)), shape=(nodes, nodes))
    labels: np.ndarray = connected_components(links, directed=False)[1]
    return np.unique(labels[:people], return_inverse=True)[1]
