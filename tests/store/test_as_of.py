from __future__ import annotations

import pyarrow as pa
import pytest

from pipeline.core.errors import PipelineError
from pipeline.store.as_of import landed_by, samples_as_of

PAIRS = [
    ("a", "10"),
    ("a", "9"),
    ("a", "9"),
    ("b", "2026-01"),
    ("b", "9"),
    ("b", "11"),
    ("c", "v2"),
]
SAMPLES = pa.table({"source": [s for s, _ in PAIRS], "batch": [b for _, b in PAIRS]})


@pytest.mark.parametrize(
    ("as_of", "left"),
    [
        ("9", [("a", "9"), ("a", "9"), ("b", "9"), ("c", "v2")]),
        ("10", PAIRS),
        ("a/9", [pair for pair in PAIRS if pair != ("a", "10")]),
        ("b/11", [pair for pair in PAIRS if pair != ("b", "2026-01")]),
    ],
)
def test_each_source_is_cut_in_its_own_order(as_of: str, left: list[tuple[str, str]]) -> None:
    result = samples_as_of(SAMPLES, as_of).to_pylist()
    assert [(one["source"], one["batch"]) for one in result] == left


@pytest.mark.parametrize("as_of", ["8", "c/9", "a", "", "/9/"])
def test_a_batch_that_never_landed_is_told(as_of: str) -> None:
    with pytest.raises(PipelineError, match=r"unknown batch .* there are: a/10, a/9, b/11, b/2026"):
        landed_by(as_of, SAMPLES)
