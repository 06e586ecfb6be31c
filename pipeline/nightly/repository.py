"""What a night asks of git and DVC: a clean start, commits under its name, `dvc repro`, pushes."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from configparser import RawConfigParser
from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.core.files.dvc_cache import cache_folder, dvc_folder
from pipeline.core.folders import DATA
from pipeline.params.aliases import ALIASES
from pipeline.raw.held_samples import RECORD
from pipeline.stages.check import damaged_lockfile, damaged_rwlock
from pipeline.store.trees.git import check_repository, git, resolve_commit

# What a night commits beside the .dvc files of data/.
DATA_FILES = ("params.yaml", "nightly.yaml", "dvc.yaml", "dvc.lock")
VERDICT_FILES = (ALIASES, "nightly")
# Trailers of its two commits, by which a run that was killed between knows them again.
DATA_TRAILER, VERDICT_TRAILER = "Nightly-Data", "Nightly-Verdict"
# And of that of a person's decision.
DECISION_TRAILER = "Nightly-Decision"
# The last commit whose data and history are where they are pushed to.
PUSHED = "refs/nightly/pushed"
PR_SET_PDEATHSIG = 1
HERE = Path()


class Failed(Exception):
    """A command failed; `output` is what it said."""

    def __init__(self, command: str, output: str) -> None:
        super().__init__(f"`{command}` failed: {last_line(output)}")
        self.output = output


def last_line(output: str) -> str:
    """What a stage said of its failure, of all that DVC printed."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")]
    return (errors or lines or [""])[-1].removeprefix("error: ")


def check_start() -> str:
    """The commit that a run begins on.

    Raises
    ------
    PipelineError
        There is no commit, git has nobody to commit as, or tracked files differ from the commit
        that a night does not commit.
    """
    check_repository(HERE)
    base = resolve_commit(HERE, "HEAD")
    git(HERE, "var", "GIT_COMMITTER_IDENT")
    if not git(HERE, "for-each-ref", PUSHED).strip():
        git(HERE, "update-ref", PUSHED, base)
    changed = git(HERE, "diff", "--name-only", "--relative", "-z", "HEAD", "--", ".").decode()
    others = [path for path in changed.split("\0") if path and not _is_committed_by_nights(path)]
    if others:
        raise PipelineError(
            f"commit these, or take the changes back, so that the night's commit says all that "
            f"made it: {', '.join(others)}"
        )
    return base


def _is_committed_by_nights(path: str) -> bool:
    top = path.split("/")[0]
    return top in DATA_FILES or (top == DATA and path.endswith((".dvc", f"/{RECORD}")))


def head() -> str:
    """The commit that is checked out."""
    return resolve_commit(HERE, "HEAD")


def restore(path: str) -> None:
    """A file as it is committed; what git does not have is removed."""
    if _is_tracked(path):
        git(HERE, "checkout", "HEAD", "--", path)
    else:
        Path(path).unlink(missing_ok=True)


def commit(message: str, trailer: str, run: str, paths: Sequence[str]) -> str:
    """Commit what changed below paths, unless this run has done so; the commit.

    Where nothing changed it is the one that is checked out.
    """
    standing = head()
    if is_committed(trailer, run):
        return standing
    present = [path for path in paths if Path(path).exists() or _is_tracked(path)]
    git(HERE, "add", "--all", "--", *present)
    staged = git(HERE, "diff", "--cached", "--name-only", "--", *present)
    if not staged:
        return standing
    body = f"{message}\n\n{trailer}: {run}\n"
    git(HERE, "commit", "--quiet", "--no-verify", "--file=-", "--", *present, input=body.encode())
    return head()


def is_committed(trailer: str, run: str) -> bool:
    """Whether what is checked out is a run's commit with this trailer."""
    return _trailer(head(), trailer) == run


def tag(name: str, revision: str) -> None:
    """Name a commit; a tag of that name that stands already is left."""
    if not git(HERE, "tag", "--list", name).strip():
        git(HERE, "tag", name, revision)


def tag_of(run: str) -> str:
    return f"nightly/{run}"


def is_on(base: str, run: str) -> bool:
    """Whether what is checked out is a run's base, or what the run itself has put upon it."""
    revision = head()
    while revision != base:
        if run not in {_trailer(revision, name) for name in (DATA_TRAILER, VERDICT_TRAILER)}:
            return False
        revision = resolve_commit(HERE, f"{revision}~1")
    return True


def reproduce() -> None:
    """`dvc repro`, which ends when this process does; Failed with what it said on its way out."""
    for problem in damaged_lockfile():
        if not _is_tracked("dvc.lock"):
            raise PipelineError(problem)
        git(HERE, "checkout", "HEAD", "--", "dvc.lock")
    if damaged_rwlock():  # one run at a time, so nobody holds it
        Path(".dvc", "tmp", "rwlock").unlink()
    run_dvc("repro")


def run_dvc(*arguments: str) -> str:
    """What a command of DVC printed; Failed if it ended otherwise than well."""
    command = [sys.executable, "-m", "dvc", *arguments]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        preexec_fn=_die_with_parent,
    ) as process:
        lines = []
        assert process.stdout
        for line in process.stdout:
            sys.stderr.write(line)
            lines.append(line)
        code = process.wait()
    output = "".join(lines)
    if code:
        raise Failed(f"dvc {' '.join(arguments)}", output)
    return output


def push(dvc_remote: str, git_remote: str) -> None:
    """Push data, then the commits that name them, so that no clone lacks what it is told of.

    The data of earlier nights whose push failed go with tonight's: a ref says how far it came.
    """
    if dvc_remote:
        for tag in _unpushed():
            # `dvc push` takes revisions, but forgets the remote's name when it comes to them.
            with tempfile.TemporaryDirectory() as scratch:
                folder = Path(scratch, "project")
                check_out(tag, folder)
                with contextlib.chdir(folder):
                    run_dvc("push", "--quiet", "--remote", dvc_remote)
        run_dvc("push", "--quiet", "--remote", dvc_remote)
    if git_remote:
        try:
            git(HERE, "push", "--quiet", "--follow-tags", git_remote, "HEAD")
            git(HERE, "push", "--quiet", git_remote, "refs/tags/nightly/*:refs/tags/nightly/*")
        except PipelineError as error:
            raise Failed(f"git push {git_remote}", str(error)) from None
    git(HERE, "update-ref", PUSHED, "HEAD")


def _unpushed() -> list[str]:
    """The tags of earlier nights since the last push that went well."""
    asked = ("--list", "nightly/*", "--merged", "HEAD", "--no-merged", PUSHED)
    names = git(HERE, "tag", "--sort=creatordate", *asked).decode().split()
    return names[:-1]


def check_out(revision: str, folder: Path) -> None:
    """A clone of this project in a new folder, with the same cache and remotes of DVC's."""
    dvc = dvc_folder(HERE)
    if dvc is None:
        raise PipelineError("this folder is no DVC project, so it has no cache: run `dvc init`")
    local = RawConfigParser()
    local.read(dvc / "config.local")
    if not local.has_section("cache"):
        local.add_section("cache")
    local.set("cache", "dir", str(cache_folder(dvc).absolute()))
    git(HERE, "clone", "--quiet", "--no-checkout", ".", str(folder.absolute()))
    git(folder, "checkout", "--quiet", "--detach", revision)
    with (folder / ".dvc" / "config.local").open("w", encoding="utf-8") as file:
        local.write(file)


def _trailer(revision: str, name: str) -> str:
    asked = f"--format=%(trailers:key={name},valueonly)"
    return git(HERE, "log", "-1", asked, revision).decode().strip()


def _is_tracked(path: str) -> bool:
    return bool(git(HERE, "ls-files", "--", path).strip())


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
