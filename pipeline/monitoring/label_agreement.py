"""Do tonight's labels mean what they meant? The model in use says so, before it learns from them.

A batch whose labels were mixed up keeps its schema, its shares and its measurements. What goes is
that a model finds them likely: as likely, if they are honest, as those of the test components,
which it never learnt from either. So both are asked, and whether tonight's components could be test
components is judged by permutation (Pitman 1937, "Significance tests which may be applied to
samples from any populations", JRSS Suppl. 4), which is exact at any size and takes the test split's
own luck into account. What is compared is the logarithm of the probability that the model gives to
the label (Good 1952, "Rational decisions", JRSS B 14), which says more than right or wrong where
components are few. Components change places with those of the same label alone, so that a night of
nothing but a hard class promises no more than the model ever kept of that class.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from pipeline.core.records import MIN_COMPONENTS
from pipeline.monitoring.contract import Violation
from pipeline.monitoring.options import Contract, DriftOptions
from pipeline.monitoring.two_sample import sequential_p_value

# What is given less is as unlikely as can be, so that no component outweighs all others.
LEAST_PROBABILITY = 0.001


@dataclass(frozen=True)
class LabelledAnswers:
    """What a model answered to n samples that say what they are.

    Attributes
    ----------
    component, label:
        str (n,).
    is_right:
        bool (n,): the answer is the label.
    probability:
        float (n,): what the model gives to the label.
    """

    component: np.ndarray
    label: np.ndarray
    is_right: np.ndarray
    probability: np.ndarray


@dataclass(frozen=True)
class LabelAgreement:
    """What of a batch's labels a model agrees with.

    Attributes
    ----------
    components:
        Of the batch, with a label that test components have, too.
    agreed, expected:
        Share of right answers, components counting as one each, and that of test components of
        these labels.
    p:
        The chance that labels are so unlikely if they mean what they meant.
    """

    components: int
    agreed: float
    expected: float
    p: float


@dataclass(frozen=True)
class _Component:
    """Means over its samples: right answers, and the logarithm of their labels' probability."""

    label: str
    agreed: float
    score: float


def label_agreement(
    test: LabelledAnswers,
    tonight: LabelledAnswers,
    chance: float,
    options: DriftOptions,
    rng: np.random.Generator,
) -> LabelAgreement | None:
    """How often a model agrees with labels, against test components; None if these are too few.

    Parameters
    ----------
    test:
        Of components that the model did not learn from, and none of which is of tonight.
    chance:
        What p is held against: permutations are so many at least that it can be below that.
    options:
        How many components and permutations are read at most.
    """
    before, after = (
        [components[place] for place in rng.permutation(len(components))[: options.components]]
        for components in ([*_components(each)] for each in (test, tonight))
    )
    known = {component.label for component in before}
    after = [component for component in after if component.label in known]
    if len(after) < MIN_COMPONENTS:
        return None
    strata = [
        tuple([each for each in side if each.label == label] for side in (after, before))
        for label in sorted({component.label for component in after})
    ]
    agreed, expected = (
        sum(len(new) * np.mean([each.agreed for each in side]) for new, side in pairs) / len(after)
        for pairs in ([(new, new) for new, _ in strata], strata)
    )
    pools = [_Pool(*(np.array([each.score for each in side]) for side in pair)) for pair in strata]
    p = sequential_p_value(
        sum(pool.shortfall() for pool in pools),
        lambda draws: np.sum([pool.permuted(draws, rng) for pool in pools], axis=0),
        max(options.permutations, ceil(1 / chance)),
    )
    return LabelAgreement(len(after), float(agreed), float(expected), p)


def check_labels(
    key: tuple[str, str], task: str, agreement: LabelAgreement, contract: Contract
) -> Violation | None:
    """What the agreement says against a batch, (source, name), by the contract of its source."""
    lowest = agreement.expected * (1 - contract.disagreed)
    if agreement.agreed >= lowest or agreement.p > contract.chance:
        return None
    message = (
        f"{'/'.join(key)}: the model in use agrees with {agreement.agreed:.0%} of the labels of "
        f"{task} where {agreement.expected:.0%} are expected, over {agreement.components} "
        f"components (p = {agreement.p:.1g}): they may be mixed up"
    )
    return Violation("batch", *key, "labels", task, agreement.agreed, lowest, 1.0, message)


@dataclass(frozen=True)
class _Pool:
    """The scores of components of one label: float (n,) of tonight, float (m,) of test."""

    tonight: np.ndarray
    test: np.ndarray

    def shortfall(self) -> float:
        """By how much tonight's sum is below what so many test components have."""
        return float(len(self.tonight) * self.test.mean() - self.tonight.sum())

    def permuted(self, draws: int, rng: np.random.Generator) -> np.ndarray:
        """The shortfall, float (draws,), if who is of tonight were drawn from all."""
        pool = np.concatenate([self.tonight, self.test])
        drawn = rng.permuted(np.tile(pool, (draws, 1)), axis=1)[:, : len(self.tonight)].sum(1)
        expected = len(self.tonight) * (pool.sum() - drawn) / len(self.test)
        return np.asarray(expected - drawn)


def _components(answers: LabelledAnswers) -> Iterator[_Component]:
    """Each speaks by the samples of the label that most of it have."""
    rows_of: dict[str, list[int]] = {}
    for row, name in enumerate(answers.component.tolist()):
        rows_of.setdefault(name, []).append(row)
    for rows in rows_of.values():
        yield _component(answers, rows)


def _component(answers: LabelledAnswers, rows: Sequence[int]) -> _Component:
    counts = Counter(answers.label[rows].tolist())
    label = max(sorted(counts), key=counts.__getitem__)
    of_label = [row for row in rows if answers.label[row] == label]
    score = np.log(np.maximum(answers.probability[of_label], LEAST_PROBABILITY))
    return _Component(label, float(answers.is_right[of_label].mean()), float(score.mean()))
