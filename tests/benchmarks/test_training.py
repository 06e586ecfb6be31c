"""The benchmark of training's batches on a few hundred samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.store import corpus
from benchmarks.training import contenders, run, table


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    corpus.put_project(folder, 0.003)
    return folder


def test_ways_train_the_same(made: Path) -> None:
    assert set(run.WAYS) == set(contenders.WAYS)
    found = {way: contenders.measure(way, made) for way in contenders.WAYS}
    for one in found.values():
        assert one["loss"] == pytest.approx(found["ours"]["loss"], rel=1e-5)
        assert 0 < one["wait"] < 1
        assert one["examples_per_second"] > 0


def test_ways_that_differ_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(corpus, "put_project", lambda *given: None)
    monkeypatch.setattr(run, "_one", lambda way, project: {"loss": float(len(way))})
    with pytest.raises(ArithmeticError, match="differ in their first loss"):
        run.measure(tmp_path, 0.003, 1)


def test_the_page_says_what_is_missed(tmp_path: Path) -> None:
    one = {"loss": 2.0, "wait": 0.06, "examples_per_second": 2000.0}
    results: dict[str, Any] = {
        "samples": 20_000,
        "rounds": 5,
        "ways": {"ours": one, "DataLoader, no process": {**one, "examples_per_second": 500.0}},
    }
    page = tmp_path / "page.md"
    page.write_text(f"before\n{table.BEGIN}\nyesterday\n{table.END}\nafter\n")
    table.update(page, results)
    told = page.read_text()
    assert told.startswith("before\n")
    assert told.endswith("after\n")
    assert "yesterday" not in told
    assert {check.what: check.met for check in table.checks(results)} == {
        "an epoch's share of waiting for data, %": False,
        "examples/s ÷ DataLoader, no process": True,
    }
