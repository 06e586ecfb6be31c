"""A memory helps where it can, and stops nobody where it cannot."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.core.files.digest_cache import DigestCache, open_digest_cache
from pipeline.core.files.sqlite_cache import SqliteCache
from pipeline.parts.dvc_restore import MEMORY, Cache

TABLE = "CREATE TABLE IF NOT EXISTS t (name TEXT PRIMARY KEY, value INTEGER)"
PUT = "REPLACE INTO t VALUES (?, ?)"
ALL = "SELECT * FROM t ORDER BY name"


@pytest.fixture
def memory(tmp_path: Path) -> SqliteCache:
    return SqliteCache(tmp_path / "folder" / "t.sqlite", TABLE)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a lock."""
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, timeout: connect(path, timeout=0))


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk on which a database can grow by nothing."""
    connect = sqlite3.connect

    def small(path: Path, timeout: float) -> sqlite3.Connection:
        database = connect(path, timeout=timeout)
        database.execute("PRAGMA max_page_count = 1")
        return database

    monkeypatch.setattr(sqlite3, "connect", small)


def hold(path: Path) -> sqlite3.Connection:
    """Be another process in the middle of writing."""
    database = sqlite3.connect(path, timeout=0)
    database.execute("BEGIN EXCLUSIVE")
    return database


def test_what_was_kept_is_known(memory: SqliteCache) -> None:
    assert memory.load(ALL) == []
    assert not memory.path.exists()
    memory.save(PUT, [("a", 1), ("b", 2)])
    memory.save(PUT, [("b", 3)])
    assert memory.load(ALL) == [("a", 1), ("b", 3)]
    asked = (["b"], ["none"], ["a"])
    assert memory.load("SELECT value FROM t WHERE name = ?", asked) == [(3,), (1,)]


@pytest.mark.parametrize("first", ["load", "save"])
def test_a_damaged_file_is_begun_anew(memory: SqliteCache, first: str) -> None:
    memory.path.parent.mkdir()
    memory.path.write_bytes(b"no database" * 1000)
    if first == "load":
        assert memory.load(ALL) == []
    else:
        memory.save(PUT, [("a", 1)])
    assert not memory.path.exists()
    memory.save(PUT, [("a", 1)])
    assert memory.load(ALL) == [("a", 1)]


@pytest.mark.usefixtures("impatient")
def test_a_file_that_another_process_holds_is_left_to_it(memory: SqliteCache) -> None:
    memory.save(PUT, [("a", 1)])
    with closing(hold(memory.path)):
        memory.save(PUT, [("a", 2)])
        assert memory.load(ALL) == []
    assert memory.load(ALL) == [("a", 1)]


@pytest.mark.usefixtures("full")
def test_digests_on_a_full_disk_are_right_and_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.core.files.digest_cache.SETTLED_NS", -(10**12))
    (tmp_path / "a").write_bytes(b"one")
    digest = DigestCache({}).file(tmp_path / "a")
    for _ in range(2):
        with open_digest_cache(tmp_path / "memory.sqlite") as known:
            assert known.file(tmp_path / "a") == digest
            assert known.learnt


def test_digests_in_a_folder_that_cannot_be_made_are_right(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "no folder").write_bytes(b"")
    with open_digest_cache(tmp_path / "no folder" / "memory.sqlite") as known:
        assert known.file(tmp_path / "a") == DigestCache({}).file(tmp_path / "a")


@pytest.mark.usefixtures("impatient")
def test_what_was_made_is_not_forgotten_while_another_process_writes(inside: Path) -> None:
    Cache().remember({"key": "md5"})
    with closing(hold(MEMORY.path)):
        assert Cache().md5s(["key"]) == {}
        Cache().remember({"key": "another"})
    assert Cache().md5s(["key", "none"]) == {"key": "md5"}
