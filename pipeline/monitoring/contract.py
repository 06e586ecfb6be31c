"""The data contract: what a source's batches look like, as numbers in params, and who breaks it.

Limits are learnt from accepted batches by robust quantiles: the middle 90 % of what batches had,
widened by as much again, so that one odd batch among twenty moves nothing. A limit of a share is
broken by a batch only if chance does not explain it: with the share at the limit, as many groups as
that would occur with a probability below `chance` by the exact binomial distribution, which is
divided by the number of limits. Samples of a group depend on each other, so groups are what is
counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from pipeline.core.errors import PipelineError
from pipeline.core.options import Options
from pipeline.monitoring.columns import PRESENCE, is_known, measurements, sample_columns
from pipeline.monitoring.landed import Landed

# A column of more values is a name rather than a category.
MOST_VALUES = 200
# What a share may move at least, whatever the accepted batches had.
LEAST_SLACK = 0.02
# A batch may have so many times the samples that batches have, or as few.
SIZE = 4
CHANCE = 0.001
# So many widths of a range beyond it is far, where a single sample is named.
FAR = 3
PRESENT = "yes"

Level = Literal["source", "batch", "rows"]


class Limits(Options):
    """Both ends are allowed."""

    low: float
    high: float


class Contract(Options):
    """What a source promises of each batch."""

    batches: int = Field(ge=1, description="accepted batches that it was learnt from")
    schema_: dict[str, str] = Field(
        alias="schema", description="column of the samples or of a modality → its type"
    )
    attributes: tuple[str, ...] = Field(description="that samples of every batch state")
    samples: Limits = Field(description="in a batch")
    presence: dict[str, Limits] = Field(description="modality → share of samples that have it")
    shares: dict[str, dict[str, Limits]] = Field(
        description="target, attribute or measurement → value → share of samples"
    )
    new_values: float = Field(
        default=LEAST_SLACK, ge=0, le=1, description="share that may have values not among these"
    )
    ranges: dict[str, Limits] = Field(description="measurement → what it may be in a sample")
    outside: float = Field(
        default=LEAST_SLACK, ge=0, le=1, description="share that may be outside of a range"
    )
    known: float = Field(ge=0, le=1, description="share that may bring nothing but known assets")
    rejects: dict[str, float] = Field(description="stage → share of its rows that it may refuse")
    chance: float = Field(
        default=CHANCE, gt=0, lt=1, description="that a batch as allowed is held by mistake"
    )


@dataclass(frozen=True)
class Violation:
    """What of a batch breaks the contract.

    Attributes
    ----------
    level:
        What should be held: all that the source sends, the batch, or these rows of it.
    what:
        `schema`, `samples`, `presence`, `shares`, `new_values`, `ranges`, `known` or `rejects`.
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


def learn_contract(batches: Sequence[Landed], attributes: Sequence[str] = ()) -> Contract:
    """The contract that accepted batches of one source keep.

    Parameters
    ----------
    attributes:
        Those whose values have shares too, such as a language that is no target.

    Raises
    ------
    PipelineError
        There is no batch, or none with samples.
    """
    batches = [landed for landed in batches if landed.samples.num_rows]
    if not batches:
        raise PipelineError("there is no accepted batch with samples to learn a contract from")
    columns = [_columns(landed, attributes) for landed in batches]
    ranges = {
        name: _range([each[name] for each in columns])
        for name in columns[0]
        if columns[0][name].dtype.kind == "f"
        and any(is_known(each[name]).any() for each in columns)
    }
    shares = [_shares(each) for each in columns]
    values = {
        name: sorted({value for each in shares for value in each.get(name, {})})
        for name in {name for each in shares for name in each}
    }
    outside = [
        max((_outside(each[n], limits).mean() for n, limits in ranges.items()), default=0)
        for each in columns
    ]
    stages = sorted({stage for landed in batches for stage in landed.stages})
    return Contract(
        batches=len(batches),
        schema=_schema(batches[-1]),
        attributes=tuple(sorted(set.intersection(*map(_attributes, batches)))),
        samples=Limits(
            low=float(int(np.quantile([b.samples.num_rows for b in batches], 0.05) / SIZE)),
            high=float(int(np.quantile([b.samples.num_rows for b in batches], 0.95) * SIZE)),
        ),
        presence={
            name.removeprefix(PRESENCE): _share_limits(
                [each.get(name, {}).get(PRESENT, 0.0) for each in shares]
            )
            for name in sorted(values)
            if name.startswith(PRESENCE)
        },
        shares={
            name: {
                value: _share_limits([each.get(name, {}).get(value, 0.0) for each in shares])
                for value in values[name]
            }
            for name in sorted(values)
            if not name.startswith(PRESENCE) and len(values[name]) <= MOST_VALUES
        },
        ranges=ranges,
        outside=_most(outside),
        known=_most([_known(landed).mean() for landed in batches]),
        rejects={
            stage: _most([_refused(landed.stages.get(stage, (0, 0))) for landed in batches])
            for stage in stages
        },
    )


def check_contract(
    landed: Landed, contract: Contract, attributes: Sequence[str] = ()
) -> list[Violation]:
    """What of a batch breaks its source's contract, the widest first."""
    check = _Check(landed, contract, _columns(landed, attributes))
    order = ("source", "batch", "rows")
    return sorted(check.violations(), key=lambda each: order.index(each.level))


@dataclass(frozen=True)
class _Check:
    landed: Landed
    contract: Contract
    columns: Mapping[str, np.ndarray]

    def violations(self) -> Iterator[Violation]:
        yield from self._of_schema()
        yield from self._of_counts()
        yield from self._of_presence()
        yield from self._of_values()
        yield from self._of_ranges()

    def _of_schema(self) -> Iterator[Violation]:
        promised, actual = self.contract.schema_, _schema(self.landed)
        for name in sorted({*promised, *actual}):
            before, after = promised.get(name, "nothing"), actual.get(name, "nothing")
            if before != after:
                message = f"the column {name} is {after}, and was {before}"
                yield self._violation("source", "schema", name, np.nan, None, message)
        for name in sorted({*self.contract.attributes} - _attributes(self.landed)):
            message = f"no sample states the attribute {name}, which every batch did"
            yield self._violation("source", "schema", name, np.nan, None, message)

    def _of_counts(self) -> Iterator[Violation]:
        limits, rows = self.contract.samples, self.landed.samples.num_rows
        if not limits.low <= rows <= limits.high:
            message = f"it has {rows} samples; {limits.low:g} to {limits.high:g} are usual"
            yield self._violation("batch", "samples", "samples", rows, limits, message)
        for stage, (refused, offered) in sorted(self.landed.stages.items()):
            most = Limits(low=0, high=self.contract.rejects.get(stage, LEAST_SLACK))
            if offered and self._improbable(refused / offered, most, offered):
                share = refused / offered
                message = f"{stage} refused {share:.1%} of {offered}; {most.high:.1%} may be"
                yield self._violation("batch", "rejects", stage, share, most, message)
        if len(known := _known(self.landed)):
            most = Limits(low=0, high=self.contract.known)
            if self._improbable(share := float(known.mean()), most):
                message = f"{share:.1%} bring nothing but known assets; {most.high:.1%} may"
                ids = self._ids(known)
                yield self._violation("batch", "known", "samples", share, most, message, ids)

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
                outside = _outside(values, limits)
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
        groups = self.landed.groups if among is None else self.landed.groups[among]
        place, size = np.unique(groups, return_inverse=True, return_counts=True)[1:]
        return float((of / size[place]).sum() / len(size))

    def _groups(self, among: np.ndarray | None = None) -> int:
        groups = self.landed.groups
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
            + len(self.landed.stages)
            + 1
        )
        chance = contract.chance / tests
        if share > limits.high:
            return bool(binom.sf(np.floor(share * count) - 1, count, limits.high) <= chance)
        return bool(
            share < limits.low and binom.cdf(np.ceil(share * count), count, limits.low) <= chance
        )

    def _ids(self, rows: np.ndarray) -> tuple[str, ...]:
        return tuple(self.landed.samples.filter(rows)["sample_id"].to_pylist())

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
        landed = self.landed
        low, high = (np.nan, np.nan) if limits is None else (limits.low, limits.high)
        named = f"{landed.source}/{landed.batch}: {message}"
        return Violation(
            level, landed.source, landed.batch, what, subject, measured, low, high, named, ids
        )


def _columns(landed: Landed, attributes: Sequence[str]) -> dict[str, np.ndarray]:
    return sample_columns(landed.samples, landed.measured, attributes)


def _schema(landed: Landed) -> dict[str, str]:
    """Columns of the samples, and the measurements of each modality that the batch has."""
    schema = {field.name: str(field.type) for field in landed.samples.schema}
    for modality, table in landed.measured.items():
        for name in measurements(modality, table.schema):
            schema[f"{modality}.{name}"] = str(table.schema.field(name).type)
    return schema


def _attributes(landed: Landed) -> set[str]:
    """The attributes that any sample of a batch states."""
    return {name for pairs in landed.samples["attributes"].to_pylist() for name, _ in pairs or ()}


def _shares(columns: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Of the categories: column → value → share of the samples that have a value."""
    shares = {}
    for name, values in columns.items():
        if values.dtype.kind != "f" and (known := is_known(values)).any():
            categories, counts = np.unique(values[known].astype(str), return_counts=True)
            parts = (counts / counts.sum()).tolist()
            shares[name] = dict(zip(categories.tolist(), parts, strict=True))
    return shares


def _share_limits(shares: Sequence[float]) -> Limits:
    low, middle, high = np.quantile(shares, [0.05, 0.5, 0.95])
    return Limits(
        low=round(max(0.0, low - max(middle - low, LEAST_SLACK)), 3),
        high=round(min(1.0, high + max(high - middle, LEAST_SLACK)), 3),
    )


def _most(shares: Sequence[float]) -> float:
    return _share_limits([float(share) for share in shares]).high


def _range(batches: Sequence[np.ndarray]) -> Limits:
    """Half as far again beyond what 98 of 100 samples of a usual batch have.

    What was never negative stays so.
    """
    known = [values[is_known(values)] for values in batches]
    known = [values for values in known if len(values)]
    low, high = (float(np.median([np.quantile(v, q) for v in known])) for q in (0.01, 0.99))
    slack = (high - low) / 2
    floor = 0.0 if min(v.min() for v in known) >= 0 else -np.inf
    return Limits(low=_short(max(floor, low - slack)), high=_short(high + slack))


def _short(value: float) -> float:
    """With four digits, which a person reads."""
    return float(f"{value:.4g}")


def _outside(values: np.ndarray, limits: Limits) -> np.ndarray:
    return np.asarray((values < limits.low) | (values > limits.high))


def _far(values: np.ndarray, limits: Limits) -> np.ndarray:
    """Which values are FAR widths of a range beyond it; of a range of one value none."""
    slack = FAR * (limits.high - limits.low)
    wide = Limits(low=limits.low - slack, high=limits.high + slack)
    return _outside(values, wide) if slack > 0 else np.zeros(len(values), bool)


def _known(landed: Landed) -> np.ndarray:
    """bool (n,): samples that have assets, all of which were known."""
    digests = {name: landed.samples[name].to_pylist() for name in landed.known}
    return np.array(
        [
            any(each)
            and all(
                d is None or d in landed.known[name] for name, d in zip(digests, each, strict=True)
            )
            for each in zip(*digests.values(), strict=True)
        ],
        bool,
    )


def _refused(counts: tuple[int, int]) -> float:
    refused, offered = counts
    return refused / offered if offered else 0.0


def _span(limits: Limits, digits: str = ".1%") -> str:
    return f"{limits.low:{digits}} to {limits.high:{digits}}"
