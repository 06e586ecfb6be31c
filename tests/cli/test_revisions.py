"""Differences as they are shown; how they are found is tested beside the store."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.store import Store
from tests.cli.stamps import stamps

__all__ = ["stamps"]
TABLES = {
    "added": pa.table({"digest": ["d1", "d2"], "view": [0, 1]}),
    "removed": pa.table({"digest": ["d3"], "view": [0]}),
    "changed": pa.table({"digest": ["d4"], "view": [0], "by": [0.5]}),
}
FOUND = SimpleNamespace(
    before="v1",
    after="the work tree",
    added=["new"],
    removed=["old"],
    sets={
        "mfcc": SimpleNamespace(
            **TABLES, messages=["dtype: a → b"], counts={k: len(v) for k, v in TABLES.items()}
        )
    },
)


def records(*arguments: str) -> list[dict[str, object]]:
    done = CliRunner().invoke(app, ["store", *arguments, "--json"])
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.output.splitlines()]


@pytest.fixture
def asked(stamps: None, monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What `diff` was asked for."""
    calls: list[tuple[object, ...]] = []

    def diff(self: Store, *arguments: object) -> object:
        calls.append(arguments)
        return FOUND

    monkeypatch.setattr(Store, "diff", diff)
    return calls


def test_a_difference_is_counted_by_set(asked: list[tuple[object, ...]]) -> None:
    new, old, mfcc = records("diff", "v1", "--tolerance", "0.1")
    assert asked == [("v1", None, 0.1)]
    assert (new["name"], new["told"]) == ("new", "only the work tree has it")
    assert (old["name"], old["told"]) == ("old", "only v1 has it")
    assert (mfcc["added"], mfcc["removed"], mfcc["changed"]) == (2, 1, 1)


def test_its_rows_are_listed(asked: list[tuple[object, ...]]) -> None:
    found = records("diff", "v1", "v2", "--rows")
    assert asked == [("v1", "v2", 0.0)]
    assert [(one["what"], one["digest"], one["by"]) for one in found] == [
        ("added", "d1", None),
        ("added", "d2", None),
        ("removed", "d3", None),
        ("changed", "d4", 0.5),
    ]


def test_log_lists_commits(stamps: None, monkeypatch: pytest.MonkeyPatch) -> None:
    module = pytest.importorskip("pipeline.store.trees.history")
    when = datetime(2026, 1, 2, tzinfo=UTC)
    one = SimpleNamespace(commit="c" * 40, date=when, subject="more", changes={"mfcc": "added"})
    monkeypatch.setattr(module, "history", lambda project, rev: [one] if rev == "HEAD" else [])
    (found,) = records("log")
    assert found["commit"] == "c" * 40
    assert found["changes"] == {"mfcc": "added"}
    assert records("log", "--rev", "v1") == []
