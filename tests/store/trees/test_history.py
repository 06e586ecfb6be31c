"""Which commits changed feature sets."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.store import open_store
from pipeline.store.trees.history import history
from pipeline.store.trees.revision import Revision
from tests.dataset import AUTHOR, run
from tests.store.revised import cache, revised

__all__ = ["revised"]


def commit(project: Path, message: str) -> None:
    run(project, "git", "add", "--all")
    run(project, "git", *AUTHOR, "commit", "--quiet", "--message", message)


def test_commits_that_changed_feature_sets_come_newest_first(revised: Path) -> None:
    shutil.rmtree(cache(revised))
    second, first = history(revised)
    assert first.subject == "the first features"
    assert first.changes == {"look": "added", "sound": "added"}
    assert second.subject == "other pictures, and words for sounds"
    assert second.changes == {"look": "changed", "sound": "removed", "words": "added"}
    assert second.commit == run(revised, "git", "rev-parse", "HEAD").stdout.strip()
    assert abs(datetime.now(UTC) - second.date).total_seconds() < 3600
    assert history(revised, "v1") == [first]


def test_other_changes_of_the_lock_are_left_out(revised: Path) -> None:
    before = history(revised)
    lock = revised / "dvc.lock"
    text = lock.read_text()
    lock.write_text(text.replace("cmd: 'true'", "cmd: 'false'"))
    assert lock.read_text() != text
    commit(revised, "a lock alone")
    (revised / "note.txt").write_text("note")
    commit(revised, "a note alone")
    assert history(revised) == before
    lock.unlink()
    commit(revised, "no lock")
    newest, *rest = history(revised)
    assert newest.changes == {"look": "removed", "words": "removed"}
    assert rest == before


def test_a_branch_is_told_against_its_own_parent(revised: Path) -> None:
    lock = revised / "dvc.lock"
    newest = lock.read_text()
    run(revised, "git", "checkout", "--quiet", "-b", "side", "v1")
    tree = open_store(revised, "v1").tree
    assert isinstance(tree, Revision)
    other = tree.outs["features/sound"].md5
    lock.write_text(lock.read_text().replace(other, f"{'0' * 32}.dir"))
    commit(revised, "another sound — naïve")
    merge = ("merge", "--quiet", "--no-commit", "--strategy=ours", "main")
    run(revised, "git", *AUTHOR, *merge)
    lock.write_text(newest.replace("schema: '2.0'", "schema: '2.0' # merged"))
    commit(revised, "both")
    result = {one.subject: one.changes for one in history(revised)}
    changes = {"look": "changed", "sound": "removed", "words": "added"}
    assert result == {
        "both": {"look": "changed", "sound": "removed"},  # params of v1 name no words
        "another sound — naïve": {"sound": "changed"},
        "other pictures, and words for sounds": changes,
        "the first features": {"look": "added", "sound": "added"},
    }


def test_no_history_is_no_mistake_but_no_repository_is(revised: Path, tmp_path: Path) -> None:
    assert history(revised.parent) == []
    with pytest.raises(
        PipelineError, match="unknown revision 'v9'; there are: early, main, v1, v2"
    ):
        history(revised, "v9")
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(PipelineError, match="not a git repository"):
        history(tmp_path / "elsewhere")
