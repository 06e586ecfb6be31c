"""Is tonight's data other data than what was accepted before?

Every column and every feature set is tested by component, and the p-values are corrected for how
many they are by Holm's step-down (1979), so that a night without change is *noticed* with the
chance of `night_level` at most. What is noticed is an *alarm* if it also passes LORD++ over the
nights of a year (`spending.night_level_of_year`): before anything has truly changed, the chance of
any alarm in a year is at most half of `discovery_rate`.

Tests find the smallest change in large data. So nothing is said of an effect that doesn't matter,
however sure it is. And landings differ among themselves, though nothing changes: one brings a day
at the sea, the next a day at the zoo. Where the reference's batches are known, an effect matters
only if hardly any of them was as far from the others as tonight is from all.
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
from pipeline.monitoring.spending import night_level_of_year
from pipeline.monitoring.two_sample import (
    TwoSampleTest,
    chi_square,
    classifier_test,
    independent_rows,
    kolmogorov_smirnov,
    maximum_mean_discrepancy,
    population_stability_index,
)

# A classifier learns from half of the components.
MIN_TO_LEARN = 2 * MIN_COMPONENTS
# Batches that tonight is held against, at least and at most, and the share that may be as far.
LEAST_BATCHES, MOST_BATCHES, UNUSUAL = 5, 40, 0.05


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
    batch:
        str (n,): what landed together, of the reference; empty where it is not known.
    """

    component: np.ndarray
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    features: Mapping[str, np.ndarray] = field(default_factory=dict)
    batch: np.ndarray = field(default_factory=lambda: np.empty(0, str))


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
    as_far:
        Share of the reference's batches that were as far from the others; NaN where it was not
        asked, since nothing was found, or there are too few.
    """

    subject: str
    test: str
    components: int
    effect: float
    psi: float
    p: float
    material: bool
    corrected: float = 1.0
    as_far: float = float("nan")


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
        Whether it is below the night's level; and below `level`, that of all nights of a year.
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
    findings: list[Finding] = []
    untested: list[str] = []
    of_subject: dict[str, _Subject] = {}
    apart = ~np.isin(reference.component, tonight.component)
    for kind in ("columns", "features"):
        before, after = getattr(reference, kind), getattr(tonight, kind)
        for name in sorted({*before} & {*after}):
            rng = generator(seed, "drift", night, name)
            subject = _Subject(
                name, before[name][apart], reference.component[apart], after[name], options, rng
            )
            tested = subject.findings(tonight.component)
            untested += [name] if tested is None else []
            findings += tested or []
            of_subject[name] = subject
    corrected = holm([finding.p for finding in findings])
    findings = [
        replace(finding, corrected=p) for finding, p in zip(findings, corrected, strict=True)
    ]
    if len(reference.batch):
        batch = reference.batch[apart]
        findings = [
            of_subject[finding.subject].against_batches(finding, batch)
            if finding.material and finding.corrected <= options.night_level
            else finding
            for finding in findings
        ]
    findings.sort(key=lambda each: (each.corrected, each.p, each.subject, each.test))
    p = min((each.corrected for each in findings if each.material), default=1.0)
    level = night_level_of_year(earlier, options.discovery_rate, options.night_level)
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


@dataclass(frozen=True)
class _Subject:
    """A column or a feature set: its values before, of whose components, and tonight's."""

    name: str
    before: np.ndarray
    component: np.ndarray
    after: np.ndarray
    options: DriftOptions
    rng: np.random.Generator

    def findings(self, component: np.ndarray) -> list[Finding] | None:
        """What all tests say; none if there is but one value, None if there are too few."""
        before, after = (
            self._spoken(values, names, self.options.components)
            for values, names in ((self.before, self.component), (self.after, component))
        )
        least = MIN_TO_LEARN if before.ndim > 1 else MIN_COMPONENTS
        if min(len(before), len(after)) < least:
            return None
        if before.ndim == 1 and len(np.unique(np.concatenate([before, after]))) == 1:
            return []
        vectors = before.ndim > 1
        psi = float("nan") if vectors else population_stability_index(before, after)
        return [
            Finding(
                subject=self.name,
                test=test,
                components=len(after),
                effect=result.effect,
                psi=psi,
                p=result.p,
                material=result.effect >= self._least_effect(test),
            )
            for test, result in self._tests(before, after, self.options.permutations).items()
        ]

    def against_batches(self, finding: Finding, batch: np.ndarray) -> Finding:
        """The finding, which is material if hardly a batch was as far from the others."""
        least = MIN_TO_LEARN if self.before.ndim > 1 else MIN_COMPONENTS
        effects = []
        for name in self.rng.permutation(np.unique(batch))[:MOST_BATCHES]:
            within, others = (
                self._spoken(self.before[rows], self.component[rows], limit)
                for rows, limit in (
                    (batch == name, finding.components),
                    (batch != name, self.options.components),
                )
            )
            if min(len(within), len(others)) >= least:
                effects.append(self._tests(others, within, 0)[finding.test].effect)
        if len(effects) < LEAST_BATCHES:
            return finding
        as_far = float(np.mean(np.array(effects) >= finding.effect))
        return replace(finding, as_far=as_far, material=as_far <= UNUSUAL)

    def _least_effect(self, test: str) -> float:
        """With as few components as it reads, a discrepancy that is sure is no trifle."""
        return {
            "classifier": self.options.least_separation,
            "maximum_mean_discrepancy": 0.0,
        }.get(test, self.options.least_distance)

    def _tests(
        self, before: np.ndarray, after: np.ndarray, permutations: int
    ) -> dict[str, TwoSampleTest]:
        """The tests of values of that kind; without permutations their effects alone."""
        if before.ndim > 1:
            return {
                "classifier": classifier_test(before, after, self.rng),
                "maximum_mean_discrepancy": maximum_mean_discrepancy(
                    before, after, permutations, self.rng
                ),
            }
        if before.dtype.kind == "f":
            return {"kolmogorov_smirnov": kolmogorov_smirnov(before, after)}
        return {"chi_square": chi_square(before, after, permutations, self.rng)}

    def _spoken(self, values: np.ndarray, component: np.ndarray, limit: int) -> np.ndarray:
        """The values that speak for the components that have one."""
        known = ~np.isnan(values).any(1) if values.ndim > 1 else is_known(values)
        rows = np.flatnonzero(known)
        picked: np.ndarray = values[rows[independent_rows(component[rows], limit, self.rng)]]
        return picked if picked.dtype.kind == "f" else picked.astype(str)


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
        "By the count of a year's nights it is no chance."
        if p <= level
        else f"One night in {1 / options.night_level:.0f} says so by chance, and a year has enough "
        f"nights for this to be one: look at it, and see what tomorrow says."
    )
    return f"Other data than before, of {tests}: {'; '.join(moved)}. {sure}{missing}"
