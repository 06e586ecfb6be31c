"""What had landed as of a batch: each source has an order of its own, and none with the others."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.batches import in_order
from pipeline.core.errors import PipelineError, unknown


def landed_by(as_of: str, samples: pa.Table) -> Callable[[str, str], bool]:
    """Whether a batch, by its source and its name, is none that landed after another.

    Parameters
    ----------
    as_of:
        A batch, or `<source>/<batch>`. Sources that have no such batch are left whole.
    samples:
        Those whose sources and batches there are.

    Raises
    ------
    PipelineError
        There is no such batch.
    """
    batches = sorted(_batches(samples))
    source, _, batch = as_of.rpartition("/")
    last = {s: b for s, b in batches if b == batch and source in ("", s)}
    if not last:
        raise PipelineError(unknown("batch", as_of, (f"{s}/{b}" for s, b in batches)))
    return lambda s, b: s not in last or in_order(b) <= in_order(last[s])


def samples_as_of(samples: pa.Table, as_of: str) -> pa.Table:
    """The samples of the batches that `landed_by` keeps, in their order."""
    landed = landed_by(as_of, samples)
    for source, batch in _batches(samples):
        if not landed(source, batch):
            later = pc.and_(pc.equal(samples["source"], source), pc.equal(samples["batch"], batch))
            samples = samples.filter(pc.invert(later))
    return samples


def _batches(samples: pa.Table) -> list[tuple[str, str]]:
    pairs = samples.group_by(["source", "batch"]).aggregate([]).to_pylist()
    return [(pair["source"], pair["batch"]) for pair in pairs]
