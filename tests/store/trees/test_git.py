"""What git says of a repository that is not there, or not this user's, is told with a remedy."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.store.trees.git import check_repository, resolve_commit


def test_a_folder_without_a_repository_is_told(inside: Path) -> None:
    with pytest.raises(PipelineError, match=r"in no git repository.*`git init`"):
        check_repository(inside)
    subprocess.run(["git", "init", "--quiet"], check=True)
    check_repository(inside)


def test_a_repository_of_another_user_is_not_one_without_commits(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "--quiet"], check=True)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    remedy = f"belongs to another user.*safe.directory {inside}"
    with pytest.raises(PipelineError, match=remedy):
        check_repository(inside)
    with pytest.raises(PipelineError, match=remedy):
        resolve_commit(inside, "HEAD")
