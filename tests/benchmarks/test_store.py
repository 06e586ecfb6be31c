"""The store's benchmark on a thousandth of its rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import environments
from benchmarks.store import contenders, corpus, table
from pipeline.store import open_store

SCALE = 0.001


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    corpus.put_project(folder, SCALE)
    return folder


def test_the_corpus_is_a_store_whose_layout_is_proven(made: Path) -> None:
    store = open_store(made)
    assert sorted(store) == sorted(corpus.sets(SCALE))
    for name, one in corpus.sets(SCALE).items():
        features = store[name]
        assert len(features) == one.rows
        assert features.modality == one.modality
        flat = np.load(made / "data" / f"{name}.npy", mmap_mode="r")
        assert np.array_equal(features.to_numpy(), flat)
        assert not any(block.flags.owndata or block.flags.writeable for block in features.blocks())


@pytest.mark.parametrize(
    ("job", "way"),
    [
        (job, way)
        for job, ways in contenders.JOBS.items()
        for way in ways
        if way != "lance" and job not in ("nearest", "approximate")
    ],
)
def test_ways_of_a_job_come_to_the_same(made: Path, job: str, way: str) -> None:
    if way == "pandas":
        pytest.importorskip("pandas", reason="it has it in the environment of Lance")
    ways = contenders.JOBS[job]
    (first, *_) = (one for one in ways if one != "lance")
    wanted, found = ways[first](made), ways[way](made)
    if isinstance(wanted, list):
        for mine, theirs in zip(wanted, found, strict=True):
            assert np.array_equal(mine, theirs)
    else:
        assert isinstance(found, np.ndarray)
        assert found.shape == wanted.shape
        assert np.isclose(found.sum(dtype=np.float64), wanted.sum(dtype=np.float64), rtol=1e-5)


def test_every_peer_has_a_pinned_environment() -> None:
    assert all("==" in package for package in environments.PACKAGES["lance"])


@pytest.fixture
def results() -> dict[str, Any]:
    """Each way takes a second, our own half of one."""
    jobs = {
        job: {
            way: {"seconds": 0.5 if way == "ours" else 1.0, "peak": 2e9, "bytes": 1e9}
            for way in ways
        }
        for job, ways in contenders.JOBS.items()
    }
    return {
        "sets": corpus.described(1),
        "rounds": 5,
        "jobs": jobs,
        "opening": {"cpu_s": 0.2, "torch": False},
        "append": {"grown": 0.0101, "touched": 0},
        "revision": {"ours": 0.5, "memmap copy": 1.0},
        "count": {"ours": 0.1, "DVCFileSystem": 0.4},
        "diff": {"ours, files": 0.1, "ours, rows": 0.2, "dvc diff": 1.0},
    }


def test_the_page_holds_every_figure_and_says_what_is_missed(
    results: dict[str, Any], tmp_path: Path
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{table.BEGIN}\nyesterday\n{table.END}\nafter\n")
    table.update(page, results)
    told = page.read_text()
    assert told.startswith("before\n")
    assert told.endswith("after\n")
    assert "yesterday" not in told
    assert all(check.what in told for check in table.checks(results))
    missed = {check.what for check in table.checks(results) if not check.met}
    assert "diff of files: dvc diff ÷ ours" in missed
    assert "load all ÷ copying a memmap" not in missed
