"""Joins and SQL over a store."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from torch.utils.data import DataLoader

from pipeline.core.errors import PipelineError
from pipeline.store import Store, open_store
from pipeline.store.training import SampleDataset
from pipeline.store.views import stream
from tests.store.small import BATCHES, COUNT, picture, small, sound

__all__ = ["small"]


@pytest.fixture
def store(small: Path) -> Store:
    return open_store(small)


def number(sample_id: str) -> int:
    return int(sample_id.removeprefix("s/"))


def test_a_join_puts_every_sample_s_features_beside_it(store: Store) -> None:
    joined = store.join(["look", "sound"], view=0)
    order = [number(one) for one in joined.sample_ids]
    assert sorted(order) == list(range(COUNT))
    assert np.array_equal(joined.values["look"], np.stack([picture(max(i, 1)) for i in order]))
    for row, i in enumerate(order):
        assert joined.present["sound"][row] == bool(i % 3)
        wanted = sound(i) if i % 3 else np.zeros((4, 2), np.float32)
        assert np.array_equal(joined.values["sound"][row], wanted)
        assert joined.lengths["sound"][row] == int(bool(i % 3))


def test_view_v_stands_beside_view_v_and_what_lacks_it_is_absent(store: Store) -> None:
    joined = store.join(["look", "sound"], view=1)
    order = [number(one) for one in joined.sample_ids]
    assert np.array_equal(joined.values["look"], np.stack([picture(max(i, 1), 1) for i in order]))
    assert not joined.present["sound"].any()


def test_a_join_is_chosen_by_samples(store: Store) -> None:
    joined = store.join(["look"], where="target.category = 'a' AND \"group\" != 'g4'")
    assert {number(one) for one in joined.sample_ids} == set(range(0, COUNT, 2)) - {4}
    joined = store.join(["look"], split="test", as_of=BATCHES[0])
    assert {number(one) for one in joined.sample_ids} == {
        i for i in range(COUNT) if i % 2 and i % 3 != 2
    }
    assert joined.targets["size"].dtype == np.float64
    assert len(store.join(["look"], where="false").sample_ids) == 0


def test_what_does_not_exist_is_told_with_what_does(store: Store) -> None:
    with pytest.raises(PipelineError, match="unknown split 'dev'; there are: test, train"):
        store.join(["look"], split="dev")
    with pytest.raises(PipelineError, match="'smell'; there are: look, sound"):
        store.join(["look", "smell"])
    with pytest.raises(PipelineError, match=r"colour.*not found"):
        store.join(["look"], where="colour = 1")
    with pytest.raises(PipelineError, match=r"colour.*not found"):
        store["look"].to_numpy(where="colour = 1")


def test_sql_sees_a_view_a_set_and_the_samples(store: Store) -> None:
    result = store.sql("SELECT batch, view, count(*) AS n FROM look GROUP BY ALL ORDER BY ALL")
    assert sum(result["n"].to_pylist()) == 3 * (COUNT - 1)
    assert set(result["batch"].to_pylist()) == set(BATCHES)
    joined = store.sql(
        "SELECT s.sample_id, s.target.category AS c, l.vector FROM samples s "
        "JOIN look l ON l.digest = s.image WHERE l.view = 0 AND s.sample_id = 's/05'"
    )
    assert joined["c"].to_pylist() == ["b"]
    assert np.array_equal(np.array(joined["vector"][0].as_py(), np.float32), picture(5))
    assert store.sql("SELECT count(*) AS n FROM rejects")["n"].to_pylist() == [0]
    assert store.sql("WITH few AS (FROM samples LIMIT 3) SELECT count(*) AS n FROM few")[
        "n"
    ].to_pylist() == [3]


@pytest.mark.parametrize("query", ["SHOW TABLES", " show  tables ;\n"])
def test_sql_shows_its_tables(store: Store, query: str) -> None:
    assert store.sql(query)["name"].to_pylist() == ["look", "rejects", "samples", "sound"]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELEC 1", "no SQL"),
        ("", "empty"),
        ("SELECT 1; SELECT 2", "one SELECT"),
        ("CREATE TABLE x (a INT)", "one SELECT"),
        ("COPY samples TO 'out.csv'", "one SELECT"),
        ("EXPLAIN ANALYZE COPY (SELECT 1) TO 'out.csv'", "one SELECT"),
        ("ATTACH 'x.db'", "one SELECT"),
        ("SET enable_external_access = true", "one SELECT"),
        ("INSTALL httpfs", "one SELECT"),
        ("SELECT * FROM nothing", "unknown table 'nothing'; there are: look, rejects, samples"),
        ("SELECT nothing FROM samples", "nothing"),
        ("SELECT * FROM read_csv('params.yaml')", "cannot be answered"),
        ("SELECT * FROM 'params.yaml'", "unknown table"),
        ("SELECT * FROM read_text('/etc/passwd')", "cannot be answered"),
        ("SELECT content FROM glob('*')", "cannot be answered"),
        ("SELECT * FROM query('COPY samples TO ''out.csv''')", "cannot be answered"),
    ],
)
def test_sql_that_is_wrong_or_reaches_outside_is_refused_and_harms_nothing(
    store: Store, query: str, says: str
) -> None:
    before = {path: path.read_bytes() for path in store.project.rglob("*") if path.is_file()}
    with pytest.raises(PipelineError, match=says):
        store.sql(query)
    after = {path: path.read_bytes() for path in store.project.rglob("*") if path.is_file()}
    assert before == after


@pytest.mark.parametrize(
    "where",
    [
        "true) UNION SELECT 1 FROM (VALUES (1)",
        "true; DROP TABLE rows",
        "digest IN (SELECT content FROM read_text('params.yaml'))",
        "split = 'train' AND digest IN (SELECT content FROM read_text('params.yaml'))",
        "split == ",
    ],
)
def test_a_condition_is_nothing_but_one(store: Store, where: str) -> None:
    with pytest.raises(PipelineError, match=r"SQL|SELECT"):
        store["look"].to_numpy(where=where)


def test_a_variable_of_the_caller_is_no_table(store: Store) -> None:
    secret = store.samples()  # noqa: F841
    with pytest.raises(PipelineError, match="unknown table 'secret'"):
        store.sql("SELECT * FROM secret")


def test_a_long_result_comes_in_batches(store: Store) -> None:
    with stream(store, "SELECT a.digest FROM look a, look b, look c LIMIT 100000") as reader:
        sizes = [batch.num_rows for batch in reader]
    assert sum(sizes) == 100_000
    assert max(sizes) < 100_000


def test_a_dataset_gives_samples_and_whole_batches(store: Store) -> None:
    data = store.dataset(["look", "sound"], ["category"], split="train")
    assert isinstance(data, SampleDataset)
    one = data[3]
    i = number(one["sample_id"])
    assert np.array_equal(one["features"]["look"].numpy(), picture(max(i, 1)))
    assert bool(one["present"]["sound"]) == bool(i % 3)
    assert one["targets"] == {"category": "a"}
    loader = DataLoader(data, batch_size=5)
    seen = []
    for batch in loader:
        assert batch["features"]["sound"].shape[1:] == (4, 2)
        assert list(batch["targets"]["category"]) == ["a"] * len(batch["sample_id"])
        seen += batch["sample_id"]
    assert seen == data.joined.sample_ids
    with pytest.raises(PipelineError, match="unknown target 'mood'"):
        store.dataset(["look"], ["mood"])


@pytest.mark.parametrize("name", ["samples", "Rejects"])
def test_a_set_of_a_table_s_name_does_not_hide_it(store: Store, name: str) -> None:
    features = store.project / "data" / "features"
    (features / "sound").rename(features / name)
    params = store.project / "params.yaml"
    params.write_text(params.read_text().replace("sound", name))
    again = open_store(store.project)
    assert name in again
    result = again.sql(f"FROM {name}")
    assert "vector" not in result.column_names


def test_threads_may_query_at_once(store: Store) -> None:
    result: list[int] = []

    def ask() -> None:
        result.append(store.sql("SELECT count(*) AS n FROM look")["n"][0].as_py())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert result == [3 * (COUNT - 1)] * 8
