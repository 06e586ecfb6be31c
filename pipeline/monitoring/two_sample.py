"""Are two samples of one distribution? Tests whose p-values are exact at any size.

All take independent observations: samples of a component are not, so `independent_rows` picks one
row of each. Where no formula is exact, a test permutes, and stops as soon as it is clear that there
is nothing: after LARGER permuted values at least as large, at draw l, the p-value is LARGER / l,
which is exact too (Besag & Clifford 1991, "Sequential Monte Carlo p-values", Biometrika 78).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

LARGER = 20
BLOCK = 500
SMALL = 0.01
BINS = 10


@dataclass(frozen=True)
class TwoSampleTest:
    """`effect` is how far the two are apart, in the test's own measure; `p` how lucky that'd be."""

    effect: float
    p: float


def independent_rows(component: np.ndarray, limit: int, rng: np.random.Generator) -> np.ndarray:
    """One row of each component, and of `limit` components at most: int (≤ limit,).

    It depends on which rows there are, and on their order, by the generator alone.
    """
    order = rng.permutation(len(component))
    first = order[np.unique(component[order], return_index=True)[1]]
    return np.sort(rng.permutation(first)[:limit])


def kolmogorov_smirnov(reference: np.ndarray, tonight: np.ndarray) -> TwoSampleTest:
    """The largest distance of the two distribution functions, 0 to 1 (Smirnov 1939).

    Exact up to 10,000 observations a side; values that are equal make it err towards no change.
    """
    from scipy.stats import ks_2samp

    result = ks_2samp(reference, tonight)
    return TwoSampleTest(float(result.statistic), float(result.pvalue))


def chi_square(
    reference: np.ndarray, tonight: np.ndarray, permutations: int, rng: np.random.Generator
) -> TwoSampleTest:
    """Pearson's test of categories, str (n,) each, by permutation, so that no cell is too small.

    No number of permutations tells a small p-value from a tiny one. So where it is small, Fisher's
    exact test asks of each category whether it is as common as before, and the smaller of both
    counts, twice, as there are two tests. The effect is the total variation distance of the shares,
    0 to 1.
    """
    from scipy.stats import fisher_exact, random_table

    categories, code = np.unique(np.concatenate([reference, tonight]), return_inverse=True)
    sides = (code[: len(reference)], code[len(reference) :])
    table = np.stack([np.bincount(side, minlength=len(categories)) for side in sides])
    sizes, totals = table.sum(1), table.sum(0)
    expected = np.outer(sizes, totals) / sizes.sum()

    def statistic(tables: np.ndarray) -> np.ndarray:
        return np.asarray(((tables - expected) ** 2 / expected).sum((-2, -1)))

    tables = random_table(sizes, totals)
    p = sequential_p_value(
        float(statistic(table)),
        lambda draws: statistic(tables.rvs(size=draws, random_state=rng)),
        permutations,
    )
    if p <= SMALL:
        each = [
            fisher_exact([[row[c], row.sum() - row[c]] for row in table]).pvalue
            for c in range(len(categories))
        ]
        p = min(p, len(categories) * float(min(each)))
    shares = table / sizes[:, None]
    return TwoSampleTest(float(abs(shares[0] - shares[1]).sum() / 2), min(1.0, 2 * p))


def maximum_mean_discrepancy(
    reference: np.ndarray, tonight: np.ndarray, permutations: int, rng: np.random.Generator
) -> TwoSampleTest:
    """The kernel two-sample test, of vectors float (n, D) each, by permutation.

    Gretton et al. 2012, "A kernel two-sample test", JMLR 13. The kernel is Gaussian, as wide as the
    median distance of the pooled vectors. The effect is the discrepancy, the root of the unbiased
    estimate of its square, or 0.
    """
    pooled = np.concatenate([reference, tonight]).astype(np.float64)
    squares = (pooled**2).sum(1)
    distances = np.maximum(squares[:, None] + squares - 2 * pooled @ pooled.T, 0)
    width = np.median(distances[np.triu_indices(len(pooled), 1)])
    kernel = np.exp(-distances / (width if width > 0 else 1.0))
    weights = np.repeat([1 / len(reference), -1 / len(tonight)], [len(reference), len(tonight)])
    split = len(reference)

    def statistic(signed: np.ndarray) -> np.ndarray:
        return np.asarray(((signed @ kernel) * signed).sum(-1))

    observed = float(statistic(weights))
    p = sequential_p_value(
        observed,
        lambda draws: statistic(rng.permuted(np.tile(weights, (draws, 1)), axis=1)),
        permutations,
    )
    within = [
        (block.sum() - np.trace(block)) / (len(block) * (len(block) - 1))
        for block in (kernel[:split, :split], kernel[split:, split:])
    ]
    unbiased = sum(within) - 2 * kernel[:split, split:].mean()
    return TwoSampleTest(float(max(unbiased, 0.0)) ** 0.5, p)


def classifier_test(
    reference: np.ndarray, tonight: np.ndarray, rng: np.random.Generator
) -> TwoSampleTest:
    """Can a classifier tell the two apart? Vectors float (n, D) each.

    A logistic regression learns from half of each side and is asked about the rest (Lopez-Paz &
    Oquab 2017, "Revisiting classifier two-sample tests", arXiv:1610.06545). Given what it learnt,
    its answers are independent of the side if nothing changed, which Fisher's exact test judges.
    The effect is its balanced accuracy less a half.
    """
    from scipy.stats import fisher_exact
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    halves = [side[rng.permutation(len(side))] for side in (reference, tonight)]
    middles = [len(side) // 2 for side in halves]
    learnt = np.concatenate([side[:middle] for side, middle in zip(halves, middles, strict=True)])
    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced", max_iter=200)
    )
    model.fit(learnt, np.repeat([0, 1], middles))
    answers = [model.predict(side[middle:]) for side, middle in zip(halves, middles, strict=True)]
    table = np.array([np.bincount(side, minlength=2) for side in answers])
    p = float(fisher_exact(table, alternative="greater").pvalue)
    return TwoSampleTest(float(np.mean(np.diag(table) / table.sum(1))) - 0.5, p)


def population_stability_index(reference: np.ndarray, tonight: np.ndarray) -> float:
    """Σ (q - p) ln(q / p) of shares p before and q tonight: below 0.1 little, from 0.2 on much.

    Numbers fall into the tenths of the reference, categories count each. Half an observation is
    added to every share, so that an empty one is finite (Siddiqi 2006, "Credit Risk Scorecards").
    It has no p-value: with few observations it is large by chance.
    """
    if reference.dtype.kind == "f":
        edges = np.unique(np.quantile(reference, np.arange(1, BINS) / BINS))
        sides = [np.searchsorted(edges, side, side="right") for side in (reference, tonight)]
        cells = len(edges) + 1
    else:
        categories, code = np.unique(np.concatenate([reference, tonight]), return_inverse=True)
        sides, cells = [code[: len(reference)], code[len(reference) :]], len(categories)
    counts = np.stack([np.bincount(side, minlength=cells) for side in sides]) + 0.5
    before, after = counts / counts.sum(1, keepdims=True)
    return float(((after - before) * np.log(after / before)).sum())


def sequential_p_value(
    observed: float, draw: Callable[[int], np.ndarray], permutations: int
) -> float:
    """The share of permuted values at least as large, found with few draws where it is large.

    draw: gives so many values of the statistic, each under a permutation of its own.
    """
    # Sums in another order differ in their last bits.
    threshold = observed - 1e-12 * abs(observed)
    larger = drawn = 0
    while drawn < permutations:
        values = draw(min(BLOCK, permutations - drawn)) >= threshold
        reached = np.flatnonzero(larger + values.cumsum() >= LARGER)
        if len(reached):
            return LARGER / (drawn + int(reached[0]) + 1)
        larger += int(values.sum())
        drawn += len(values)
    return (larger + 1) / (permutations + 1)
