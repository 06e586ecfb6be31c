"""Is tonight's data other data than what was accepted before?

Every column and every feature set is tested by component, and the p-values are corrected for how
many they are by Holm's step-down (1979), so that a night without change is *noticed* with the
chance of `night_level` at most. What is noticed is an *alarm* if it also passes LORD++ over all
nights (`spending.discovery_levels`): before anything has truly changed, the chance of any alarm in
all nights is at most half of `discovery_rate`.

Tests find the smallest change in large data. So nothing is said of an effect that doesn't matter,
however sure it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.core.randomness import generator
from pipeline.core.records import MIN_COMPONENTS
from pipeline.models.comparison.paired_bootstrap import holm
from pipeline.monitoring.columns import is_known
from pipeline.monitoring.options import DriftOptions
from pipeline.monitoring.spending import discovery_levels
from pipeline.monitoring.two_sample import (
    chi_square,
    classifier_test,
    independent_rows,
    kolmogorov_smirnov,
    maximum_mean_discrepancy,
    population_stability_index,
)

# A classifier learns from half of the components.
MIN_TO_LEARN = 2 * MIN_COMPONENTS


@dataclass(frozen=True)
class Observed:
    """n samples.

    Attributes
    ----------
    component:
        str (n,). What is not curated yet has its group for a component.
    columns:
        As `columns.sample_columns` gives them: float64 or object arrays (n,).
    features:
        Feature set → float (n, D), NaN where it is absent; see `pooled`.
    """

    component: np.ndarray
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    features: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """One test of one column or feature set.

    Attributes
    ----------
    test:
        `kolmogorov_smirnov`, `chi_square`, `maximum_mean_discrepancy` or `classifier`.
    effect:
        In the test's own measure; see `two_sample`.
    psi:
        Population stability index of a column; NaN of a feature set.
    p, corrected:
        By itself, and for all tests of the night.
    material:
        Whether the effect is large enough to matter.
    """

    subject: str
    test: str
    components: int
    effect: float
    psi: float
    p: float
    material: bool
    corrected: float = 1.0


@dataclass(frozen=True)
class NightDrift:
    """What all tests of a night say.

    Attributes
    ----------
    findings:
        All of them, the surest first.
    p:
        Of the night: the smallest corrected one of a material effect, or 1.
    noticed, alarm:
        Whether it is below the night's level; and below `level`, that of all nights.
    untested:
        What too few components have on one side.
    why:
        A paragraph for a person.
    """

    findings: tuple[Finding, ...]
    p: float
    noticed: bool
    alarm: bool
    level: float
    untested: tuple[str, ...]
    why: str


def night_drift(
    reference: Observed,
    tonight: Observed,
    earlier: Sequence[float],
    options: DriftOptions,
    seed: int,
) -> NightDrift:
    """Test tonight's samples against the reference.

    A component on both sides counts as tonight's. The same arguments give the same result.

    Parameters
    ----------
    earlier:
        `p` of every night before, in their order.
    seed:
        Of which rows speak for their components, and of permutations.
    """
    night = f"night {len(earlier)}"
    apart = ~np.isin(reference.component, tonight.component)
    findings: list[Finding] = []
    untested: list[str] = []
    for subject in sorted({*reference.columns} & {*tonight.columns}):
        rng = generator(seed, "drift", night, subject)
        before = _spoken(reference.component, reference.columns[subject], apart, options, rng)
        after = _spoken(tonight.component, tonight.columns[subject], None, options, rng)
        if min(len(before), len(after)) < MIN_COMPONENTS:
            untested.append(subject)
        elif len(np.unique(np.concatenate([before, after]))) > 1:
            findings.append(_column_finding(subject, before, after, options, rng))
    for subject in sorted({*reference.features} & {*tonight.features}):
        rng = generator(seed, "drift", night, subject)
        before = _spoken(reference.component, reference.features[subject], apart, options, rng)
        after = _spoken(tonight.component, tonight.features[subject], None, options, rng)
        if min(len(before), len(after)) < MIN_TO_LEARN:
            untested.append(subject)
        else:
            findings += _feature_findings(subject, before, after, options, rng)
    corrected = holm([finding.p for finding in findings])
    findings = [
        replace(finding, corrected=p) for finding, p in zip(findings, corrected, strict=True)
    ]
    findings.sort(key=lambda each: (each.corrected, each.p, each.subject, each.test))
    p = min((each.corrected for each in findings if each.material), default=1.0)
    level = discovery_levels(earlier, options.discovery_rate, options.night_level)[-1]
    noticed = p <= options.night_level
    return NightDrift(
        findings=tuple(findings),
        p=p,
        noticed=noticed,
        alarm=p <= level,
        level=level,
        untested=tuple(untested),
        why=_why(findings, p, level, untested, options),
    )


def pooled(values: np.ndarray, lengths: np.ndarray, present: np.ndarray) -> np.ndarray:
    """One vector a row, float32 (n, D), NaN where absent: of a sequence the mean of its frames.

    Parameters
    ----------
    values, lengths, present:
        A feature set as `store.join` gives it: (n, D) or (n, frames, D), int (n,), bool (n,).
    """
    if values.ndim > 2:
        within = np.arange(values.shape[1]) < lengths[:, None]
        summed = np.einsum("nt,nt...->n...", within.astype(np.float32), values)
        values = summed.reshape(len(values), -1) / np.maximum(lengths, 1)[:, None]
    vectors = values.astype(np.float32)
    vectors[~present] = np.nan
    return vectors


def _spoken(
    component: np.ndarray,
    values: np.ndarray,
    among: np.ndarray | None,
    options: DriftOptions,
    rng: np.random.Generator,
) -> np.ndarray:
    """The values that speak for the components that have one."""
    known = ~np.isnan(values).any(1) if values.ndim > 1 else is_known(values)
    rows = np.flatnonzero(known if among is None else known & among)
    picked: np.ndarray = values[rows[independent_rows(component[rows], options.components, rng)]]
    return picked if picked.dtype.kind == "f" else picked.astype(str)


def _column_finding(
    subject: str,
    before: np.ndarray,
    after: np.ndarray,
    options: DriftOptions,
    rng: np.random.Generator,
) -> Finding:
    if before.dtype.kind == "f":
        name, result = "kolmogorov_smirnov", kolmogorov_smirnov(before, after)
    else:
        name, result = "chi_square", chi_square(before, after, options.permutations, rng)
    return Finding(
        subject=subject,
        test=name,
        components=len(after),
        effect=result.effect,
        psi=population_stability_index(before, after),
        p=result.p,
        material=result.effect >= options.least_distance,
    )


def _feature_findings(
    subject: str,
    before: np.ndarray,
    after: np.ndarray,
    options: DriftOptions,
    rng: np.random.Generator,
) -> list[Finding]:
    """Both tests. With as few components as they read, a discrepancy that is sure is no trifle."""
    classified = classifier_test(before, after, rng)
    discrepancy = maximum_mean_discrepancy(before, after, options.permutations, rng)
    return [
        Finding(
            subject=subject,
            test=name,
            components=len(after),
            effect=result.effect,
            psi=float("nan"),
            p=result.p,
            material=material,
        )
        for name, result, material in (
            ("classifier", classified, classified.effect >= options.least_separation),
            ("maximum_mean_discrepancy", discrepancy, True),
        )
    ]


def _why(
    findings: Sequence[Finding],
    p: float,
    level: float,
    untested: Sequence[str],
    options: DriftOptions,
) -> str:
    tests = f"{len(findings)} tests"
    missing = f" Too few components to test {', '.join(untested)}." if untested else ""
    if p > options.night_level:
        return f"Nothing has changed as far as {tests} can tell.{missing}"
    moved = [
        f"{each.subject} (by {each.effect:.2f}, p = {each.corrected:.1g})"
        for each in findings
        if each.material and each.corrected <= options.night_level
    ]
    sure = (
        "By all nights' count it is no chance."
        if p <= level
        else f"One night in {1 / options.night_level:.0f} says so by chance, and there have been "
        f"enough nights for this to be one: look at it, and see what tomorrow says."
    )
    return f"Other data than before, of {tests}: {'; '.join(moved)}. {sure}{missing}"
