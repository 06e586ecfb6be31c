"""Rows and files that changed between two stores."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn

from pipeline.core.errors import PipelineError
from pipeline.parts.part import Row
from pipeline.store import Store, diff, open_store
from pipeline.store.diff import files_between, max_difference_by_row, store_difference
from pipeline.store.format import reader
from pipeline.store.trees.revision import Revision
from tests.stages.plans.stored import Stored, asset
from tests.store.revised import NEARLY, revised
from tests.store.small import BATCHES, picture
from tests.toy import function, put

__all__ = ["revised"]


def ids(table: pa.Table) -> set[tuple[str, int]]:
    return set(zip(table["digest"].to_pylist(), table["view"].to_pylist(), strict=True))


def image(i: int) -> str:
    return asset("image", str(i))


def test_rows_added_removed_and_changed_are_told(revised: Path) -> None:
    result = open_store(revised).diff("v1", "v2")
    assert (result.before, result.after) == ("v1", "v2")
    assert (result.added, result.removed) == (["words"], ["sound"])
    assert list(result.sets) == ["look"]
    look = result.sets["look"]
    assert look.counts == {"added": 3, "removed": 3, "changed": 2}
    assert ids(look.added) == {(image(100), view) for view in range(3)}
    assert ids(look.removed) == {(image(2), view) for view in range(3)}
    by = dict(zip(look.changed["digest"].to_pylist(), look.changed["by"].to_pylist(), strict=True))
    moved = picture(7, 1) + NEARLY
    assert by == {
        image(5): np.abs(picture(99).astype("f8") - picture(5)).max(),
        image(7): np.abs(moved.astype("f8") - picture(7, 1)).max(),
    }
    assert ids(look.changed) == {(image(5), 0), (image(7), 1)}


def test_little_changes_are_left_out_by_a_tolerance(revised: Path) -> None:
    result = open_store(revised, "v2").diff("v1", tolerance=0.01).sets["look"]
    assert ids(result.changed) == {(image(5), 0)}
    assert result.counts["added"] == 3
    for wrong in (-1.0, float("nan")):
        with pytest.raises(PipelineError, match="a number from 0 on"):
            open_store(revised).diff("v1", tolerance=wrong)


def test_the_other_way_round_swaps_both(revised: Path) -> None:
    store = open_store(revised)
    there, back = store.diff("v1", "v2"), store.diff("v2", "v1")
    assert (there.added, there.removed) == (back.removed, back.added)
    assert there.sets["look"].added.equals(back.sets["look"].removed)
    assert there.sets["look"].removed.equals(back.sets["look"].added)
    assert there.sets["look"].changed.equals(back.sets["look"].changed)


def test_a_revision_differs_in_nothing_from_itself_or_its_work_tree(revised: Path) -> None:
    store = open_store(revised)
    assert not store.diff("v2", "HEAD")
    assert not store.diff("v2")
    assert store.diff("v1").sets.keys() == {"look"}


def test_parts_that_both_have_are_not_read(revised: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = Revision.file

    def file(self: Revision, path: str) -> Path:
        read.append(f"{self.name}:{path}")
        return original(self, path)

    monkeypatch.setattr(Revision, "file", file)
    before, after = open_store(revised, "v1"), open_store(revised, "v2")
    entries = [before["look"].entries, after["look"].entries]
    read.clear()

    store_difference(before, after)

    same = {e.md5 for e in entries[0]} & {e.md5 for e in entries[1]}
    assert len(same) > 10
    wanted = {
        f"{name}:features/look/{entry.key}.parquet"
        for name, listed in zip(("v1", "v2"), entries, strict=True)
        for entry in listed
        if entry.md5 not in same
    }
    parts = {path for path in read if path.endswith(".parquet")}
    assert parts == wanted
    assert len(wanted) < sum(map(len, entries)) / 2


def changed_set(project: Path, values: dict[int, Any], verb: str = "extract/look") -> Store:
    """The work tree, with other values of the set `look`."""
    out = project / "data" / "features" / "look"
    shutil.rmtree(out)
    rows = [Row(image(i), f"{i}", "s", BATCHES[0], 8, 0, value) for i, value in values.items()]
    put(out, Stored(function(), verb), rows, cut=(4, 1 << 20))
    return open_store(project)


def test_another_shape_or_dtype_is_told(revised: Path) -> None:
    longer = {i: np.zeros(6, np.float32) for i in range(3, 9)}
    look = changed_set(revised, longer).diff("v2").sets["look"]
    assert "shape: (5,) → (6,)" in look.messages
    assert set(look.changed["by"].to_pylist()) == {np.inf}
    assert len(look.changed) == 6

    halves = {i: picture(i).astype(np.float16) for i in range(8, 12)}
    look = changed_set(revised, halves).diff("v2", tolerance=0.01).sets["look"]
    assert "dtype: float32 → float16" in look.messages
    assert not len(look.changed)
    assert len(look.removed)


def test_another_function_is_told_though_no_row_changed(revised: Path) -> None:
    path = revised / "data" / "features" / "look" / "_manifest.json"
    text = path.read_text()
    manifest = json.loads(text)
    manifest["function"]["python"] = "9"
    manifest["function"]["parameters"]["bands"] = {"low": 3}
    manifest["function"]["code"]["pipeline.parts.part"] = "0" * 64
    path.unlink()
    path.write_text(json.dumps(manifest))
    look = open_store(revised).diff("v2").sets["look"]
    version = json.loads(text)["function"]["python"]
    assert look.messages == [
        "parameter bands.low: absent → 3",
        "module pipeline.parts.part changed",
        f"Python version: {version} → 9",
    ]
    assert look.counts == {"added": 0, "removed": 0, "changed": 0}


def test_vectors_are_compared_some_at_a_time(
    revised: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    original = reader.StoredFeatures.matrix

    def matrix(self: Any, rows: np.ndarray, view: int) -> np.ndarray:
        sizes.append(len(rows))
        return original(self, rows, view)

    monkeypatch.setattr(reader.StoredFeatures, "matrix", matrix)
    whole = open_store(revised).diff("v1", "v2").sets["look"]
    assert max(sizes) > 2
    sizes.clear()
    monkeypatch.setattr(diff, "BLOCK", 40)  # two rows
    pieces = open_store(revised).diff("v1", "v2").sets["look"]
    assert pieces.changed.equals(whole.changed)
    assert max(sizes) == 2


VALUES = hn.arrays(
    np.float32, (7, 3), elements=st.sampled_from([0.0, -0.0, 1.0, 2.5, np.nan, np.inf, -np.inf])
)


@given(VALUES, VALUES)
def test_how_far_apart_rows_are(before: np.ndarray, after: np.ndarray) -> None:
    expected = [
        max(
            0.0 if a == b or (a != a and b != b) else np.inf if a != a or b != b else abs(a - b)
            for a, b in zip(x, y, strict=True)
        )
        for x, y in zip(before.tolist(), after.tolist(), strict=True)
    ]
    assert max_difference_by_row(before, after).tolist() == expected
    assert (
        max_difference_by_row(before.reshape(7, 3, 1), after.reshape(7, 3, 1)).tolist() == expected
    )


def test_files_between_revisions(revised: Path) -> None:
    before, after = Revision.at(revised, "v1"), Revision.at(revised, "v2")
    result = files_between(before, after)
    assert "features/sound/_manifest.json" in result["removed"]
    assert "features/words/_manifest.json" in result["added"]
    assert result["changed"] == ["features/look/_manifest.json"]
    every = {path for paths in result.values() for path in paths}
    assert all(path.startswith("features/") for path in every)
    assert files_between(after, after) == {"added": [], "removed": [], "changed": []}
