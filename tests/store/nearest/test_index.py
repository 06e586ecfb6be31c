from __future__ import annotations

from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.store import open_store
from pipeline.store.nearest import index as module
from pipeline.store.nearest.index import hashes_of, open_index
from pipeline.store.sidecar import FOLDER, KEPT
from tests.store.small import picture, put_small, small

__all__ = ["small"]
IDS = [f"id-{i}" for i in range(50)]


def pairs() -> tuple[pa.Array, np.ndarray]:
    return pa.array(IDS), np.arange(len(IDS)) * 3


@settings(max_examples=30, deadline=None)
@given(wanted=st.lists(st.sampled_from([*IDS, "no", ""]), max_size=20))
def test_ids_are_found_and_strangers_are_not(
    tmp_path_factory: pytest.TempPathFactory, wanted: list[str]
) -> None:
    result = open_index(tmp_path_factory.getbasetemp() / "found.ids", pairs).find(wanted)
    assert result.tolist() == [3 * IDS.index(one) if one in IDS else -1 for one in wanted]


def test_ids_of_one_hash_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def coarse(ids: list[str]) -> np.ndarray:
        return hashes_of(ids) % np.uint64(3)

    monkeypatch.setattr(module, "hashes_of", coarse)
    result = open_index(tmp_path / "x.ids", pairs).find([*IDS, "no"])
    assert result.tolist() == [*(np.arange(50) * 3).tolist(), -1]


def never() -> tuple[pa.Array, np.ndarray]:
    raise AssertionError("it is there already")


def test_it_is_built_once(tmp_path: Path) -> None:
    open_index(tmp_path / "x.ids", pairs)
    assert open_index(tmp_path / "x.ids", never).find(["id-2"]).tolist() == [6]


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"noise" * 100),
        lambda path: path.write_bytes(path.read_bytes()[:-20]),
        lambda path: path.write_bytes(path.read_bytes()[20:]),
    ],
)
def test_a_damaged_one_is_built_again(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    path = tmp_path / "x.ids"
    open_index(path, pairs)
    whole = path.read_bytes()
    damage(path)
    assert open_index(path, pairs).find(["id-2"]).tolist() == [6]
    assert path.read_bytes() == whole


def test_where_nothing_can_be_written_it_stays_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    assert open_index(tmp_path / "file" / "x.ids", pairs).find(["id-1"]).tolist() == [3]


def test_builders_at_once_come_to_one_file(tmp_path: Path) -> None:
    with get_context("fork").Pool(4) as processes:
        result = processes.map(_build, [str(tmp_path)] * 8)
    assert result == [[6]] * 8
    assert [path.name for path in tmp_path.iterdir()] == ["x.ids"]


def _build(folder: str) -> list[int]:
    return open_index(Path(folder) / "x.ids", pairs).find(["id-2"]).tolist()


def test_a_changed_store_has_another_index(small: Path) -> None:
    store = open_store(small)
    assert np.array_equal(store["look"].get("s/07"), picture(7)[None])
    (first,) = (small / FOLDER).iterdir()
    put_small(small)
    open_store(small)["look"].get("s/07")
    assert list((small / FOLDER).iterdir()) == [first]
    path = small / "data" / "features" / "look" / "_manifest.json"
    path.write_text(path.read_text() + "\n")
    open_store(small)["look"].get("s/07")
    assert len(list((small / FOLDER).iterdir())) == 2


def test_those_opened_last_are_kept(small: Path) -> None:
    path = small / "data" / "features" / "look" / "_manifest.json"
    first = path.read_text()
    for spaces in range(2 * KEPT):
        path.write_text(first + " " * spaces)
        open_store(small)["look"].get("s/07")
    open_store(small)["look"].get("s/07", view=1)
    kept = sorted((small / FOLDER).iterdir())
    assert [one.name.split("@")[1] for one in kept] == ["0"] * KEPT + ["1"]
    module._OPENED.clear()
    oldest = min(kept[:KEPT], key=lambda one: one.stat().st_mtime)
    path.write_text(first + " " * KEPT)
    open_store(small)["look"].get("s/07")
    path.write_text(first + "\n")
    open_store(small)["look"].get("s/07")
    assert oldest.exists()
    assert len(list((small / FOLDER).iterdir())) == KEPT + 1
