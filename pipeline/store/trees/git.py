"""What git remembers, asked of its command line: commits and files, and never a checkout."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import PipelineError, unknown

REFS = ("refs/heads", "refs/tags", "refs/remotes")


@dataclass(frozen=True, slots=True)
class Blob:
    """A file's content at a commit, and git's name for it."""

    name: str
    data: bytes


def resolve_commit(project: Path, rev: str) -> str:
    """The commit that a branch, tag, hash or expression such as `HEAD~1` stands for.

    Raises
    ------
    PipelineError
        There is no such revision, no repository, or no git.
    """
    completed = _run(
        project, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}"
    )
    if completed.returncode == 0:
        return completed.stdout.decode().strip()
    listed = git(project, "for-each-ref", "--format=%(refname:short)", *REFS).decode().split()
    raise PipelineError(unknown("revision", rev, listed))


def describe_head(project: Path) -> str:
    """The commit that is checked out, `-dirty` where files differ from it; empty outside git."""
    completed = _run(project, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    return completed.stdout.decode().strip() if completed.returncode == 0 else ""


def read_blobs(project: Path, names: Sequence[str]) -> list[Blob | None]:
    """Files by git's names for them (`<commit>:./dvc.lock`, from the project's folder on).

    None for what does not exist.
    """
    out = git(project, "cat-file", "--batch", input="\n".join([*names, ""]).encode())
    contents: list[Blob | None] = []
    at = 0
    for _ in names:
        end = out.index(b"\n", at)
        head = out[at:end].decode().rsplit(" ", 2)
        at = end + 1
        if head[-1] == "missing":
            contents.append(None)
            continue
        size = int(head[-1])
        contents.append(Blob(head[0], out[at : at + size]))
        at += size + 1
    return contents


def git(project: Path, *arguments: str, input: bytes | None = None) -> bytes:
    """What a command of git prints when run in the project's folder.

    Raises
    ------
    PipelineError
        It failed: in git's words.
    """
    completed = _run(project, *arguments, input=input)
    if completed.returncode:
        message = completed.stderr.decode(errors="replace").strip()
        if "dubious ownership" in message:
            at = project.absolute()
            raise PipelineError(
                f"{at} belongs to another user, so that git reads no commit of it: if you trust "
                f"them, `git config --global --add safe.directory {at}`"
            )
        raise PipelineError(f"{project}: git {arguments[0]} says: {message.partition(chr(10))[0]}")
    return completed.stdout


def check_repository(project: Path) -> None:
    """PipelineError unless a folder lies in a git repository that this user may read.

    Of one whose index is damaged too: over that DVC waits without end.
    """
    try:
        git(project, "ls-files", "--", "params.yaml")
    except PipelineError as error:
        if "not a git repository" in str(error):
            message = "this folder is in no git repository, which DVC needs: run `git init`"
            raise PipelineError(message) from None
        raise


def _run(
    project: Path, *arguments: str, input: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    command = ["git", "-C", str(project), *arguments]
    try:
        return subprocess.run(command, input=input, capture_output=True, check=False)
    except FileNotFoundError:
        raise PipelineError("git is not installed; revisions are read through it") from None
