"""What reading costs in memory beyond what it returns."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.store import corpus
from pipeline.store import open_store
from pipeline.store.feature_set import FeatureSet


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> FeatureSet:
    """20,000 vectors of 384 numbers in 30 parts: 31 MB."""
    folder = tmp_path_factory.mktemp("made")
    corpus.put_project(folder, 0.02)
    features = open_store(folder)["words"]
    features.to_numpy(where="length = 0")  # imports, and the parts' footers
    return features


def peak(job: Callable[[], np.ndarray]) -> tuple[float, int]:
    """Megabytes of Python's and NumPy's at most, and bytes of the result."""
    tracemalloc.start()
    result = job()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most, result.nbytes


def test_a_load_takes_its_result_and_a_tenth(words: FeatureSet) -> None:
    most, size = peak(words.to_numpy)
    assert size == len(words) * 384 * 4
    assert most <= 1.1 * size


def test_a_filtered_load_takes_its_result_and_the_metadata(words: FeatureSet) -> None:
    metadata = words.columns(["batch", "length"]).nbytes + 64 * len(words)
    most, size = peak(lambda: words.to_numpy(where="batch < 'b10' AND length > 5"))
    assert 0 < size < 0.25 * len(words) * 384 * 4
    assert most <= 1.1 * size + metadata


def test_no_vector_passes_through_arrow(words: FeatureSet) -> None:
    before = pa.default_memory_pool().bytes_allocated()
    result = words.to_numpy(view=0)
    assert pa.default_memory_pool().bytes_allocated() - before < 0.01 * result.nbytes


def test_batches_hold_one_at_a_time(words: FeatureSet) -> None:
    tracemalloc.start()
    for batch in words.batches(1000):
        assert batch.shape[1:] == (384,)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 3 * 1000 * 384 * 4
