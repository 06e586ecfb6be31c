"""What a query may not do: reach outside the store, or take all there is of the machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.store import Store, open_store
from pipeline.store.sql.query import Limits
from pipeline.store.views import stream
from tests.dataset import HERE
from tests.store.small import COUNT, small

__all__ = ["small"]
SECRET = "opensesame"
LONG = "SELECT count(*) FROM range(1000000000000)"


@pytest.fixture
def store(small: Path) -> Store:
    for folder in (small, small / ".tmp"):
        folder.mkdir(exist_ok=True)
        (folder / "secret.csv").write_text(f"{SECRET}\n" * 3)
    return open_store(small)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 FROM read_csv('secret.csv', delim='|', quote='x', escape='y', header=false, "
        "all_varchar=true, max_line_size=2)",
        "FROM read_csv('secret.csv')",
        "FROM READ_TEXT('secret.csv')",
        "FROM read_text('.tmp/secret.csv')",
        "FROM main.read_blob('secret.csv')",
        "SELECT (SELECT content FROM read_text('secret.csv'))",
        "SELECT * FROM samples, LATERAL read_text(sample_id)",
        "WITH x AS (FROM read_text('secret.csv')) FROM x",
        "WITH x AS (COPY (SELECT 1) TO 'x.csv') FROM x",
        "FROM 'secret.csv'",
        "FROM 'https://example.com/a.parquet'",
        "FROM read_parquet('s3://bucket/a')",
        "FROM sniff_csv('secret.csv')",
        "FROM glob('*')",
        "FROM parquet_metadata('{part}')",
        "FROM '{part}'",
        "FROM query('FROM read_text(''secret.csv'')')",
        "FROM json_execute_serialized_sql(json_serialize_sql('FROM read_text(''secret.csv'')'))",
        "FROM enable_logging('QueryLog', storage='file', storage_config={{'path': 'log'}})",
        "FROM enable_profiling()",
        "FROM arrow_scan(1::POINTER, 2::POINTER, 3::POINTER)",
        "FROM pandas_scan(1)",
        "FROM duckdb_settings()",
        "FROM secret",
        "SELECT getenv('HOME')",
        "PRAGMA database_list",
        "SET memory_limit = '1TB'",
        "LOAD httpfs",
        "EXPORT DATABASE 'x'",
        "CREATE SECRET (TYPE s3)",
        "CREATE VIEW v AS SELECT 1",
        "PREPARE a AS SELECT 1",
        "SELECT 1; COPY (SELECT 1) TO 'x.csv'",
        "SELECT " + "[" * 900 + "1" + "]" * 900,
        "SELECT '\udcff'",
    ],
)
def test_no_query_gets_out(store: Store, query: str) -> None:
    secret = store.samples()  # noqa: F841
    part = next((store.project / "data" / "features" / "look").glob("*.parquet"))
    before = set(store.project.rglob("*"))
    with pytest.raises(PipelineError) as refused:
        store.sql(query.format(part=part))
    assert SECRET not in str(refused.value)
    assert set(store.project.rglob("*")) == before


def test_functions_that_make_rows_are_there(store: Store) -> None:
    query = "SELECT count(*) AS n FROM range(3), json_each('[1, 2]'), (SELECT unnest([1, 2]))"
    assert store.sql(query)["n"].to_pylist() == [12]
    assert store.sql("FROM (DESCRIBE look)").num_rows == 7


def test_a_query_ends_when_its_time_is_up(store: Store) -> None:
    started = time.monotonic()
    with pytest.raises(PipelineError, match=r"longer than 0\.5 s: ask for less"):
        store.sql(LONG, Limits(seconds=0.5))
    assert time.monotonic() - started < 10


def test_the_reader_s_own_time_does_not_count(store: Store) -> None:
    with stream(store, "FROM range(200000)", Limits(seconds=2)) as reader:
        reader.read_next_batch()
        time.sleep(2.5)
        assert sum(batch.num_rows for batch in reader) > 0


def test_memory_is_bounded(store: Store) -> None:
    query = "SELECT list(range) FROM range(20000000)"
    with pytest.raises(PipelineError, match=r"more than 0\.05 GB of memory"):
        store.sql(query, Limits(memory_gb=0.05))
    assert store.sql("SELECT count(*) FROM samples", Limits(memory_gb=0.05)).num_rows == 1


def test_rows_are_bounded_and_never_cut_in_silence(store: Store) -> None:
    assert store.sql("FROM samples", Limits(rows=COUNT)).num_rows == COUNT
    with pytest.raises(PipelineError, match=f"more than {COUNT - 1} rows"):
        store.sql("FROM samples", Limits(rows=COUNT - 1))
    with stream(store, "FROM range(100000)", Limits(rows=20_000)) as reader:
        assert sum(reader.read_next_batch().num_rows for _ in range(2)) == 20_000
        with pytest.raises(PipelineError, match="more than 20000 rows"):
            reader.read_next_batch()


def test_an_interruption_reaches_the_caller(store: Store) -> None:
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        store.sql(LONG)


# Says when a call of the database has lasted: by then it is the query, and all is imported.
WATCHED = """
import sys
from threading import Timer
from pipeline.cli.main import app
from pipeline.store.sql.query import Database

run = Database.run

def watched(database, call):
    timer = Timer(1, print, ["begun"], {"flush": True})
    timer.start()
    try:
        return run(database, call)
    finally:
        timer.cancel()

Database.run = watched
sys.exit(app())
"""


@pytest.mark.parametrize(
    "arguments",
    [("sql", LONG), ("show", "look", "--where", f"({LONG}) > length")],
)
def test_ctrl_c_ends_a_command_within_a_query(store: Store, arguments: tuple[str, ...]) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WATCHED, "store", *arguments],
        env={**os.environ, "PYTHONPATH": str(HERE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    assert (process.returncode, errors) == (130, "")
