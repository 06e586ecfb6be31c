"""A contract learnt from accepted batches, by robust quantiles.

It is the middle 90 % of what batches had, widened by as much again, so that one odd batch among
twenty moves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.core.errors import PipelineError
from pipeline.monitoring.batch_profile import BatchProfile
from pipeline.monitoring.columns import PRESENCE, is_known
from pipeline.monitoring.contract import PRESENT
from pipeline.monitoring.options import LEAST_SLACK, Contract, Limits

# A column of more values is a name rather than a category.
MOST_VALUES = 200
# A batch may have so many times the samples that batches have, or as few.
SIZE = 4


def learn_contract(batches: Sequence[BatchProfile], attributes: Sequence[str] = ()) -> Contract:
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
    batches = [profile for profile in batches if profile.samples.num_rows]
    if not batches:
        raise PipelineError("there is no accepted batch with samples to learn a contract from")
    columns = [profile.columns(attributes) for profile in batches]
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
        max((limits.excludes(each[n]).mean() for n, limits in ranges.items()), default=0)
        for each in columns
    ]
    stages = sorted({stage for profile in batches for stage in profile.stages})
    return Contract(
        batches=len(batches),
        schema=batches[-1].schema,
        attributes=tuple(sorted(set.intersection(*(b.attributes for b in batches)))),
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
        known=_most([profile.is_known.mean() for profile in batches]),
        contradicted=_most([profile.is_contradicted.mean() for profile in batches]),
        rejects={
            stage: _most([_refused(profile.stages.get(stage, (0, 0))) for profile in batches])
            for stage in stages
        },
    )


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


def _refused(counts: tuple[int, int]) -> float:
    refused, offered = counts
    return refused / offered if offered else 0.0
