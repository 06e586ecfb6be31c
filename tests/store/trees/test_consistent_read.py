"""Readers while a stage writes: what they get is of one manifest, and nobody is told of a hole."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import PipelineError
from pipeline.parts.part import Row
from pipeline.store import open_store
from pipeline.store.describe import first_rows, sampled_rows, summaries, value_statistics
from pipeline.store.feature_set import FeatureSet
from pipeline.store.files.export import export_set
from pipeline.store.pca import pca_table
from tests.stages.plans.stored import Stored, asset
from tests.store.small import BATCHES, COUNT, picture, small
from tests.toy import function, put

__all__ = ["small"]
LATER = 10


def rewrite(project: Path, first: int) -> None:
    """The pictures' vectors, of the samples from one on; no part is as it was before."""
    rows = [
        Row(asset("image", str(i)), f"{i} {view} {first}", "s", BATCHES[0], 8, view, value)
        for i in range(max(first, 1), COUNT)
        for view in range(3)
        for value in [picture(i, view)]
    ]
    work = Stored(function(), "extract/look")
    put(project / "data" / "features" / "look", work, rows, cut=(4, 1 << 20))


def rows_of(features: FeatureSet) -> np.ndarray:
    return np.sort(features.to_numpy(), axis=0)


READS: dict[str, Callable[[FeatureSet], object]] = {
    "to_numpy": lambda look: look.to_numpy(),
    "columns": lambda look: look.to_numpy(["digest", "vector"])["digest"].tolist(),
    "where": lambda look: look.to_numpy(where="split = 'train'"),
    "to_arrow": lambda look: look.to_arrow(["digest", "length"]).to_pylist(),
    "get": lambda look: look.get(["s/20", "s/21"]),
    "nearest": lambda look: look.nearest(picture(20), 3).digests,
    "stats": lambda look: value_statistics(look),
    "first_rows": lambda look: [row["digest"] for row in first_rows(look, 99)],
    "sampled_rows": lambda look: [row["digest"] for row in sampled_rows(look, 99, 1)],
    "export": lambda look: export_set(look, Path("out.parquet"), force=True),
    "mapped": lambda look: pca_table(look),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_handle_follows_its_set(small: Path, read: Callable[[FeatureSet], object]) -> None:
    look = open_store(small)["look"]
    assert len(look) == COUNT - 1
    rewrite(small, LATER)
    expected = read(open_store(small)["look"])
    assert np.array_equal(read(look), expected)  # type: ignore[arg-type]
    assert len(look) == COUNT - 1


def test_a_store_follows_its_sets(small: Path) -> None:
    store = open_store(small)
    look = store["look"]
    assert len(look) == COUNT - 1
    rewrite(small, LATER)
    assert next(summaries(store))["rows"] == COUNT - LATER
    assert store.join(["look"]).present["look"].sum() == COUNT - LATER
    assert (
        store.sql("SELECT count(*) AS n FROM look WHERE view = 0")["n"][0].as_py() == COUNT - LATER
    )


def test_what_is_lost_is_told_at_once(small: Path) -> None:
    look = open_store(small)["look"]
    next((small / "data" / "features" / "look").glob("*.parquet")).unlink()
    with pytest.raises(PipelineError, match="there is no"):
        look.to_numpy(view=None)
    rewrite(small, LATER)
    for path in (small / "data" / "features" / "look").glob("*.parquet"):
        path.unlink()
    with pytest.raises(PipelineError, match="there is no"):
        look.to_numpy()


def test_no_reader_meets_a_hole(small: Path) -> None:
    wholes = {}
    for first in (LATER, 0):
        rewrite(small, first)
        wholes[len(open_store(small)["look"])] = rows_of(open_store(small)["look"])
    ended = threading.Event()

    def write() -> None:
        for i in range(20):
            rewrite(small, LATER * (i % 2))
        ended.set()

    writer = threading.Thread(target=write)
    writer.start()
    store, reads = open_store(small), 0
    while not ended.is_set():
        for features in (store["look"], open_store(small)["look"]):
            result = rows_of(features)
            assert np.array_equal(result, wholes[len(result)])
        assert store.sql("SELECT count(*) AS n FROM look")["n"][0].as_py() in (
            3 * (COUNT - 1),
            3 * (COUNT - LATER),
        )
        reads += 3
    writer.join()
    assert reads > 10
