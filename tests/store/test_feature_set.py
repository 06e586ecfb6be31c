from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from pipeline.core.errors import PipelineError
from pipeline.store import Store, open_store
from tests.stages.plans.stored import asset
from tests.store.small import BATCHES, COUNT, picture, small, sound

__all__ = ["small"]
PICTURES = {asset("image", str(i)): i for i in range(1, COUNT)}


@pytest.fixture
def store(small: Path) -> Store:
    return open_store(small)


def pictures(digests: list[str], view: int = 0) -> np.ndarray:
    return np.stack([picture(PICTURES[digest], view) for digest in digests])


def test_a_store_lists_its_sets_and_names_them_when_one_is_unknown(store: Store) -> None:
    assert list(store) == ["look", "sound"]
    assert len(store) == 2
    assert "look" in store
    assert "smell" not in store
    with pytest.raises(PipelineError, match="'smell'; there are: look, sound"):
        store["smell"]


def test_vectors_come_in_the_order_of_their_digests(store: Store) -> None:
    look = store["look"]
    digests = look.to_numpy(["digest"])["digest"].tolist()
    assert len(look) == len(digests) == COUNT - 1
    assert set(digests) == set(PICTURES)
    assert np.array_equal(look.to_numpy(), pictures(digests))
    second = look.to_numpy(["digest", "vector", "view"], view=2)
    assert np.array_equal(second["vector"], pictures(second["digest"].tolist(), 2))
    assert set(second["view"].tolist()) == {2}
    assert look.views == [0, 1, 2]
    assert len(look.to_numpy(view=None)) == 3 * len(look)
    assert look.to_numpy(view=9).shape == (0, 5)
    assert store["sound"].shape == (4, 2)


def test_every_form_holds_the_same(store: Store) -> None:
    look = store["look"]
    array = look.to_numpy()
    tensor = look.to_torch()
    assert isinstance(tensor, torch.Tensor)
    assert torch.equal(tensor, torch.from_numpy(array))
    named = look.to_torch(["digest", "length"])
    assert isinstance(named, dict)
    assert named["length"].dtype == torch.int32
    table = look.to_arrow()
    assert table.schema == look.schema
    assert np.array_equal(np.array(table["vector"].to_pylist(), np.float32), array)
    assert table["digest"].to_pylist() == named["digest"]
    assert look.to_arrow(["batch", "digest"]).column_names == ["batch", "digest"]
    sounds = store["sound"].to_arrow(["vector"])
    assert sounds.schema.field("vector").metadata == {b"shape": b"4,2"}
    with pytest.raises(PipelineError, match="unknown column 'colour'; there are: batch, digest"):
        look.to_numpy(["colour"])


def test_a_schema_is_told_without_reading_columns(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = store["look"]
    message = look.to_arrow().schema
    monkeypatch.setattr("pyarrow.parquet.ParquetFile", None)
    assert look.schema == message


def test_bytes_hold_so_many_rows_and_at_least_one(store: Store) -> None:
    look = store["look"]
    assert [look.rows_in(nbytes) for nbytes in (1, 20, 39, 40)] == [1, 1, 1, 2]


def test_pandas_is_asked_for_by_name_where_it_is_missing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(PipelineError, match="pip install pandas"):
        store["look"].to_pandas()


def test_where_asks_the_set_s_own_columns(store: Store) -> None:
    look = store["look"]
    result = look.to_arrow(["digest", "batch"], where=f"batch = '{BATCHES[1]}'")
    assert set(result["batch"].to_pylist()) == {BATCHES[1]}
    assert 0 < result.num_rows < len(look)
    one = result["digest"][0].as_py()
    assert np.array_equal(look.to_numpy(where=f"digest = '{one}'"), pictures([one]))
    assert look.to_numpy(where="view > 7").shape == (0, 5)


def test_a_view_that_is_not_there_is_told(store: Store) -> None:
    with pytest.raises(PipelineError, match=r"look .* has no rows in view 7; its views: 0, 1, 2"):
        store["look"].get("s/01", view=7)
    assert store["look"].find(["s/01", "0" * 64], view=7).tolist() == [-1, -1]


@pytest.mark.parametrize("where", ["1=1", "true", "1 < 2 AND 'a' = 'a'"])
def test_a_condition_without_a_column_is_one(store: Store, where: str) -> None:
    look = store["look"]
    assert len(look.to_numpy(where=where)) == len(look)
    assert look.to_numpy(where=f"NOT ({where})").shape == (0, 5)
    assert len(look.to_numpy(where=where, view=None)) == 3 * len(look)
    assert len(store.join(["look"], where=where).sample_ids) == COUNT


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ("split = 'train'", lambda i: i % 2 == 0),
        ("target.category = 'b' AND target.size > 10", lambda i: i % 2 and i % 4 and i > 10),
        ("attributes['colour'] = 'red'", lambda i: i < 10),
        ('"target.size" IS NULL', lambda i: i % 4 == 0),
        ("sample_id IN ('s/03', 's/05') AND length = 1", lambda i: i in (3, 5)),
    ],
)
def test_where_asks_the_samples_that_show_an_asset(
    store: Store, where: str, wanted: Callable[[int], bool]
) -> None:
    digests = store["look"].to_numpy(["digest"], where=where)["digest"].tolist()
    # Samples 0 and 1 show one picture.
    expected = {max(i, 1) for i in range(COUNT) if wanted(i)}
    assert len(digests) == len(set(digests))
    assert {PICTURES[digest] for digest in digests} == expected


def test_as_of_leaves_later_batches_out(store: Store) -> None:
    look = store["look"]
    early = look.to_numpy(["batch"], as_of=BATCHES[0])["batch"]
    assert set(early) == {BATCHES[0]}
    assert len(look.to_numpy(as_of=BATCHES[1])) == len(look)
    with pytest.raises(PipelineError, match="unknown batch '2025'; there are: s/2026-01, s/2026"):
        look.to_numpy(as_of="2025")
    both = look.to_numpy(["batch"], where="split = 'test'", as_of=BATCHES[0])["batch"]
    assert 0 < len(both) < len(early)


def test_rows_are_had_by_sample_or_by_digest(store: Store) -> None:
    look, ids = store["look"], ["s/07", asset("image", "20"), "s/00", "s/01"]
    result = look.get(ids)
    assert np.array_equal(result, np.stack([picture(i) for i in (7, 20, 1, 1)]))
    assert np.array_equal(look.get("s/07", view=1), picture(7, 1)[None])
    assert np.array_equal(store["sound"].get("s/04"), sound(4)[None])
    with pytest.raises(PipelineError, match="no row in view 0 for s/03, nobody"):
        store["sound"].get(["s/04", "s/03", "nobody"])


def test_batches_are_the_whole_in_pieces(store: Store) -> None:
    look = store["look"]
    pieces = list(look.batches(8))
    assert [len(piece) for piece in pieces] == [8, 8, 8, 8, 3]
    assert np.array_equal(np.concatenate(pieces), look.to_numpy())
    some = list(look.batches(8, where="split = 'train'"))
    assert np.array_equal(np.concatenate(some), look.to_numpy(where="split = 'train'"))


def test_a_handle_is_shared_by_threads_and_forks(store: Store) -> None:
    look = store["look"]
    wanted = look.to_numpy()
    with ThreadPoolExecutor(8) as pool:
        for result in pool.map(lambda _: look.to_numpy(where="view = 0"), range(16)):
            assert np.array_equal(result, wanted)
    with get_context("spawn").Pool(1) as processes:
        assert np.array_equal(processes.apply(_read, (str(store.project),)), wanted)


def _read(path: str) -> np.ndarray:
    result: np.ndarray = open_store(path)["look"].to_numpy()
    return result


def test_provenance_says_what_made_a_set(store: Store) -> None:
    message = store["look"].provenance
    assert message["feature_set"] == "look"
    assert message["modality"] == "image"
    assert {"digest", "code", "weights", "libraries", "parameters", "schema"} <= message.keys()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-7]), "its manifest says"),
        (lambda path: path.unlink(), "dvc checkout"),
    ],
)
def test_a_damaged_part_is_told(store: Store, damage: Callable[[Path], None], says: str) -> None:
    (first, *_) = store["look"].entries
    damage(store.project / "data" / "features" / "look" / f"{first.key}.parquet")
    with pytest.raises(PipelineError, match=says):
        store["look"].to_numpy()


def test_a_foreign_file_beside_the_parts_is_never_seen(store: Store) -> None:
    wanted = store["look"].to_numpy()
    (store.project / "data" / "features" / "look" / "notes.parquet").write_bytes(b"mine")
    assert np.array_equal(open_store(store.project)["look"].to_numpy(), wanted)


def test_a_folder_that_is_no_project_is_told(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"holds no params\.yaml"):
        open_store(tmp_path)


def test_opening_loads_nothing_heavy(small: Path) -> None:
    script = (
        "import sys; from pipeline.store import open_store; list(open_store('.'));"
        "print([m for m in ('torch', 'duckdb', 'dvc') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_a_table_is_arrow_s_own(store: Store) -> None:
    assert isinstance(store.sql("SELECT 1 AS one"), pa.Table)
