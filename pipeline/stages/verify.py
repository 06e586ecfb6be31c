"""Compute one sample's rows again, from its source files, and compare them with what is stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.errors import Rejected
from pipeline.core.machine.environment import hold
from pipeline.parts.job import prepared
from pipeline.parts.manifest import read_function, read_manifest
from pipeline.parts.part import apply_bisecting, read_part
from pipeline.parts.plan import PartsPlan
from pipeline.stages.run import find

if TYPE_CHECKING:
    from pipeline.params import Params
    from pipeline.store import Store


@dataclass(frozen=True)
class Verified:
    """A stage's row of one asset: whether it came out as it is stored, or what did not."""

    stage: str
    digest: str
    equal: bool
    differs: str = ""


def verify(params: Params, store: Store, sample_id: str) -> Iterator[Verified]:
    """Clean and encode (view 0) each asset of a sample again, by the code that is here now.

    The source file is read by digest, so that cleaning also shows that it is still the same. The
    store must be that of the work tree.

    Raises
    ------
    PipelineError
        There is no such sample, its source file is gone or another one, or this process computes
        with other instructions than the rows were made with.
    """
    traced = store.trace(sample_id)
    for modality, asset in traced["modalities"].items():
        digest = traced["sample"][modality]
        stages = [("clean", modality), *(("extract", name) for name in asset["features"])]
        for stage, item in stages:
            plan: Any = find(params, stage, item)(params, item)
            yield _recompute(plan, digest)


def _recompute(plan: PartsPlan, digest: str) -> Verified:
    function = read_function(plan.out)
    if function:
        hold(function["processor"])
    rows = [row for row in plan.rows() if row.digest == digest and row.view == 0]
    stored = _stored(plan.out, digest)
    stage = plan.work.stage
    if not rows:
        difference = "" if stored is None else "it is stored and no longer planned"
        return Verified(stage, digest, stored is None, difference)
    (outcome,) = apply_bisecting(plan.work.open(), rows, prepared(plan.work, rows), stage)
    if isinstance(outcome, Rejected):
        difference = "" if stored is None else f"it is refused now: {outcome.message}"
        return Verified(stage, digest, stored is None, difference)
    if stored is None:
        return Verified(stage, digest, False, "it is made now and was not stored")
    remade = plan.work.table(rows, [outcome])
    differs = [name for name in remade.column_names if not remade[name].equals(stored[name])]
    return Verified(stage, digest, not differs, ", ".join(differs))


def _stored(out: Path, digest: str) -> pa.Table | None:
    """The stored row of an asset's view 0, with all its columns."""
    for entry in read_manifest(out):
        if entry.view == 0:
            table = read_part(out / f"{entry.key}.parquet")
            rows = table.filter(pc.equal(table["digest"], digest))
            if rows.num_rows:
                return rows
    return None
