from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.parity import ParityError, check, distance, vectors
from pipeline.store.format.layout import features_table, write_features

OURS = {"a": np.array([1, 0], np.float32), "b": np.array([0, 2], np.float32)}


def test_equal_bits_are_told_from_near_ones() -> None:
    near = {**OURS, "b": np.nextafter(OURS["b"], np.float32(3))}
    assert distance(OURS, {**OURS, "more": OURS["a"]}).equal
    assert not distance(OURS, near).equal
    check("peer", distance(OURS, OURS), None)
    with pytest.raises(ParityError, match="peer: its vectors are not ours"):
        check("peer", distance(OURS, near), None)
    check("peer", distance(OURS, near), 0.999)


def test_the_worst_row_counts() -> None:
    found = distance(OURS, {**OURS, "b": np.array([2, 2], np.float32)})
    assert found.cosine == pytest.approx(2**-0.5)
    assert found.largest == 2
    with pytest.raises(ParityError, match="wanted at least"):
        check("peer", found, 0.8)


@pytest.mark.parametrize(
    ("theirs", "message"),
    [({"a": OURS["a"]}, "1 of 2 rows"), ({**OURS, "b": np.zeros(3, np.float32)}, "another length")],
)
def test_rows_that_are_missing_or_of_another_shape_are_refused(
    theirs: dict[str, np.ndarray], message: str
) -> None:
    with pytest.raises(ParityError, match=message):
        distance(OURS, theirs)


def test_vectors_are_read_from_parts(tmp_path: Path) -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    table = features_table(["a", "b"], ["", ""], [0, 0], np.ones(2, np.int32), values)
    (tmp_path / "deep").mkdir()
    write_features(table, tmp_path / "deep" / "part.parquet", {})
    found = vectors(tmp_path)
    assert list(found) == ["a", "b"]
    np.testing.assert_array_equal(found["b"], values[1])
