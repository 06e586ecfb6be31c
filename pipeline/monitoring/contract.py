"""The data contract: what a source's batches look like, as numbers in params, and who breaks it.

A limit of a share is broken by a batch only if chance does not explain it: with the share at the
limit, as many groups as that would occur with a probability below `chance` by the exact binomial
distribution, which is divided by the number of limits. Samples of a group depend on each other, so
groups are what is counted. `learnt_contract` has where limits come from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.monitoring.batch_profile import BatchProfile
from pipeline.monitoring.columns import PRESENCE, is_known
from pipeline.monitoring.options import LEAST_SLACK, Contract, Limits

# So many widths of a range beyond it is far, where a single sample is named.
FAR = 3
PRESENT = "yes"

Level = Literal["source", "batch", "rows"]


@dataclass(frozen=True)
class Violation:
    """What of a batch breaks the contract.

    Attributes
    ----------
    level:
        What should be held: all that the source sends, the batch, or these rows of it.
    what:
        `schema`, `samples`, `presence`, `shares`, `new_values`, `ranges`, `known`, `contradicted`,
        `rejects` or `labels`.
    subject:
        The column, modality, value or stage.
    measured, low, high:
        In the limits' unit; NaN where there is no number.
    ids:
        The samples at fault, where single ones are.
    message:
        One sentence for a person.
    """

    level: Level
    source: str
    batch: str
    what: str
    subject: str
    measured: float
    low: float
    high: float
    message: str
    ids: tuple[str, ...] = ()


def check_contract(
    profile: BatchProfile, contract: Contract, attributes: Sequence[str] = ()
) -> list[Violation]:
    """What of a batch breaks its source's contract, the widest first."""
    check = _Check(profile, contract, profile.columns(attributes))
    order = ("source", "batch", "rows")
    return sorted(check.violations(), key=lambda each: order.index(each.level))


@dataclass(frozen=True)
class _Check:
    profile: BatchProfile
    contract: Contract
    columns: Mapping[str, np.ndarray]

    def violations(self) -> Iterator[Violation]:
        yield from self._of_schema()
        yield from self._of_counts()
        yield from self._of_presence()
        yield from self._of_values()
        yield from self._of_ranges()

    def _of_schema(self) -> Iterator[Violation]:
        promised, actual = self.contract.schema_, self.profile.schema
        for name in sorted({*promised, *actual}):
            before, after = promised.get(name, "nothing"), actual.get(name, "nothing")
            if before != after:
                message = f"the column {name} is {after}, and was {before}"
                yield self._violation("source", "schema", name, np.nan, None, message)
        for name in sorted({*self.contract.attributes} - self.profile.attributes):
            message = f"no sample states the attribute {name}, which every batch did"
            yield self._violation("source", "schema", name, np.nan, None, message)

    def _of_counts(self) -> Iterator[Violation]:
        limits, rows = self.contract.samples, self.profile.samples.num_rows
        if not limits.low <= rows <= limits.high:
            message = f"it has {rows} samples; {limits.low:g} to {limits.high:g} are usual"
            yield self._violation("batch", "samples", "samples", rows, limits, message)
        for stage, (refused, offered) in sorted(self.profile.stages.items()):
            most = Limits(low=0, high=self.contract.rejects.get(stage, LEAST_SLACK))
            if offered and self._improbable(refused / offered, most, offered):
                share = refused / offered
                message = f"{stage} refused {share:.1%} of {offered}; {most.high:.1%} may be"
                yield self._violation("batch", "rejects", stage, share, most, message)
        if len(known := self.profile.is_known):
            most = Limits(low=0, high=self.contract.known)
            if self._improbable(share := float(known.mean()), most):
                message = f"{share:.1%} bring nothing but known assets; {most.high:.1%} may"
                ids = self._ids(known)
                yield self._violation("batch", "known", "samples", share, most, message, ids)
        yield from self._of_contradictions()

    def _of_contradictions(self) -> Iterator[Violation]:
        """The batch if they are too many; else they alone, unless they are usual in the source."""
        contradicted = self.profile.is_contradicted
        if not contradicted.any():
            return
        share, most = float(contradicted.mean()), Limits(low=0, high=self.contract.contradicted)
        broken = self._improbable(share, most)
        if broken or most.high <= LEAST_SLACK:
            message = (
                f"{int(contradicted.sum())} samples are known, asset for asset, under another "
                f"target; {most.high:.1%} may be"
            )
            level: Level = "batch" if broken else "rows"
            ids = self._ids(contradicted)
            yield self._violation(level, "contradicted", "samples", share, most, message, ids)

    def _of_presence(self) -> Iterator[Violation]:
        for modality, limits in self.contract.presence.items():
            values = self.columns.get(PRESENCE + modality)
            if values is None or not len(values):
                continue
            share = self._share(values == PRESENT)
            if self._improbable(share, limits):
                message = f"{share:.1%} have {modality}; {_span(limits)} is usual"
                yield self._violation("batch", "presence", modality, share, limits, message)

    def _of_values(self) -> Iterator[Violation]:
        for name, limits_by_value in self.contract.shares.items():
            values = self.columns.get(name)
            if values is None or not (known := is_known(values)).any():
                continue
            for value, limits in limits_by_value.items():
                share = self._share(values[known] == value, known)
                if self._improbable(share, limits, self._groups(known)):
                    message = f"{name} is {value} in {share:.1%}; {_span(limits)} is usual"
                    subject = f"{name}={value}"
                    yield self._violation("batch", "shares", subject, share, limits, message)
            new = known & ~np.isin(values.astype(str), [*limits_by_value])
            yield from self._rows("new_values", name, new, self.contract.new_values, None)

    def _of_ranges(self) -> Iterator[Violation]:
        for name, limits in self.contract.ranges.items():
            if (values := self.columns.get(name)) is not None:
                outside = limits.excludes(values)
                yield from self._rows("ranges", name, outside, self.contract.outside, limits)

    def _rows(
        self, what: str, name: str, at_fault: np.ndarray, most: float, limits: Limits | None
    ) -> Iterator[Violation]:
        """The batch if they are too many; else those that are new, or far outside."""
        if not at_fault.any():
            return
        values, share = self.columns[name], self._share(at_fault)
        allowed = Limits(low=0, high=most)
        level: Level = "batch" if self._improbable(share, allowed) else "rows"
        if level == "rows" and limits is not None:
            at_fault = _far(values, limits)
            if not at_fault.any():
                return
        worst = (
            f"such as {sorted({str(value) for value in values[at_fault]})[0]}"
            if limits is None
            else f"from {values[at_fault].min():.4g} to {values[at_fault].max():.4g}"
        )
        rule = "among the known values" if limits is None else f"within {_span(limits, '.4g')}"
        message = f"{name} is not {rule} in {int(at_fault.sum())} samples, {worst}"
        limit = allowed if level == "batch" else limits
        measured = share if level == "batch" else np.nan
        ids = self._ids(at_fault)
        yield self._violation(level, what, name, measured, limit, message, ids)

    def _share(self, of: np.ndarray, among: np.ndarray | None = None) -> float:
        """Share of the samples; each group counts as one."""
        groups = self.profile.groups if among is None else self.profile.groups[among]
        place, size = np.unique(groups, return_inverse=True, return_counts=True)[1:]
        return float((of / size[place]).sum() / len(size))

    def _groups(self, among: np.ndarray | None = None) -> int:
        groups = self.profile.groups
        return len(np.unique(groups if among is None else groups[among]))

    def _improbable(self, share: float, limits: Limits, count: int | None = None) -> bool:
        """Whether a share is outside of its limits, and not by chance."""
        from scipy.stats import binom

        count = self._groups() if count is None else count
        contract = self.contract
        tests = (
            len(contract.presence)
            + sum(map(len, contract.shares.values()))
            + len(contract.shares)
            + len(contract.ranges)
            + len(self.profile.stages)
            + 2
        )
        chance = contract.chance / tests
        if share > limits.high:
            return bool(binom.sf(np.floor(share * count) - 1, count, limits.high) <= chance)
        return bool(
            share < limits.low and binom.cdf(np.ceil(share * count), count, limits.low) <= chance
        )

    def _ids(self, rows: np.ndarray) -> tuple[str, ...]:
        return tuple(self.profile.samples.filter(rows)["sample_id"].to_pylist())

    def _violation(
        self,
        level: Level,
        what: str,
        subject: str,
        measured: float,
        limits: Limits | None,
        message: str,
        ids: tuple[str, ...] = (),
    ) -> Violation:
        profile = self.profile
        low, high = (np.nan, np.nan) if limits is None else (limits.low, limits.high)
        named = f"{profile.source}/{profile.batch}: {message}"
        return Violation(
            level, profile.source, profile.batch, what, subject, measured, low, high, named, ids
        )


def _far(values: np.ndarray, limits: Limits) -> np.ndarray:
    """Which values are FAR widths of a range beyond it; of a range of one value none."""
    slack = FAR * (limits.high - limits.low)
    wide = Limits(low=limits.low - slack, high=limits.high + slack)
    return wide.excludes(values) if slack > 0 else np.zeros(len(values), bool)


def _span(limits: Limits, digits: str = ".1%") -> str:
    return f"{limits.low:{digits}} to {limits.high:{digits}}"
