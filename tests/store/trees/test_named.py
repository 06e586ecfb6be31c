"""What params.yaml does not name is not there, whatever dvc.lock and the disk still hold."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.store import open_store
from pipeline.store.trees.history import history
from pipeline.store.trees.named import is_named, leftovers
from pipeline.store.views import view_names
from tests.dataset import AUTHOR, run
from tests.store.revised import revised

__all__ = ["revised"]


@pytest.fixture
def stale(revised: Path) -> Path:
    """At HEAD dvc.lock names what params.yaml never did, which no cache and no remote has."""
    lock = revised / "dvc.lock"
    document = yaml.safe_load(lock.read_text())
    for path in ("features/recipe", "evaluation/recipe", "models/recipe"):
        out = {"path": f"data/{path}", "hash": "md5", "md5": f"{'0' * 32}.dir", "size": 1}
        document["stages"][path.replace("/", "@")] = {"cmd": "true", "outs": [out]}
    lock.write_text(yaml.safe_dump(document))
    params = revised / "params.yaml"
    params.write_text(yaml.safe_dump({**yaml.safe_load(params.read_text()), "models": {"m": {}}}))
    run(revised, "git", *AUTHOR, "commit", "--quiet", "--all", "--message", "a lock of two recipes")
    return revised


def test_a_lock_that_names_more_than_params_hides_nothing_and_stops_nothing(stale: Path) -> None:
    store = open_store(stale, "HEAD")
    assert [*store] == ["look", "words"]
    assert "predictions" not in view_names(store)
    assert store.sql("SELECT count(*) AS n FROM words").to_pylist() == [{"n": 5}]
    changed = open_store(stale).diff("HEAD~1", "HEAD")
    assert not changed
    assert not open_store(stale).diff("HEAD")
    assert all("recipe" not in commit.changes for commit in history(stale))


def test_what_is_left_over_in_the_work_tree_is_not_there(stale: Path) -> None:
    shutil.copytree(stale / "data" / "features" / "words", stale / "data" / "features" / "old")
    for model in ("m", "old"):
        (stale / "data" / "evaluation" / model).mkdir(parents=True)
    store = open_store(stale)
    assert [*store] == ["look", "words"]
    assert store.tree.names("evaluation") == ["m"]
    assert leftovers(stale / "data", store.tree.params) == [
        stale / "data" / "evaluation" / "old",
        stale / "data" / "features" / "old",
    ]


def test_a_section_that_params_lack_says_nothing() -> None:
    assert is_named({}, "features/look")
    assert is_named({"features": {}}, "features")
    assert not is_named({"features": {}}, "features/look/a.parquet")
    assert not is_named({"modalities": ["image"]}, "clean/text")
    assert is_named({"models": {}}, "raw/old/batch")


def test_prune_lists_and_then_removes_what_is_left(inside: Path) -> None:
    shutil.copy(Path(__file__).parents[3] / "params.yaml", inside / "params.yaml")
    kept = [inside / "data" / "models" / "gated", inside / "data" / "raw" / "old"]
    left = [inside / "data" / "evaluation" / "old", inside / "data" / "features" / "old"]
    for folder in (*kept, *left):
        folder.mkdir(parents=True)
        (folder / "file").touch()
    listed = CliRunner().invoke(app, ["prune"])
    assert listed.exit_code == 0
    assert listed.stdout.splitlines() == ["data/evaluation/old", "data/features/old"]
    assert all(folder.is_dir() for folder in (*kept, *left))
    removed = CliRunner().invoke(app, ["prune", "--yes"])
    assert removed.exit_code == 0
    assert not any(folder.exists() for folder in left)
    assert all((folder / "file").is_file() for folder in kept)
    again = CliRunner().invoke(app, ["prune"])
    assert again.stdout == "params.yaml names all that lies below data/\n"
