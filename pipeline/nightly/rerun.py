"""An old night done again: the same data, code and params must give the same digests."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from pipeline.core.errors import PipelineError, unknown
from pipeline.core.folders import DATA, RAW
from pipeline.nightly import repository
from pipeline.nightly.record import names
from pipeline.nightly.repository import run_dvc, tag_of
from pipeline.store.trees.git import git

LOCK = Path("dvc.lock")


def rerun(
    run: str, folder: Path, remote: str = "", reproduce: Callable[[], None] = repository.reproduce
) -> tuple[int, list[str]]:
    """Build all that a night had computed anew in a new folder.

    Raw data come from DVC's cache here, or else from a remote of DVC's. The folder has a cache of
    its own, so that nothing that was computed before is used.

    Returns
    -------
    How many outputs there are, and those whose digest is another now, `<stage>: <path>`.

    Raises
    ------
    PipelineError
        No night of that name has a tag, or the folder is there already.
    """
    tag = tag_of(run)
    if not git(Path(), "tag", "--list", tag).strip():
        raise PipelineError(unknown("run with a tag", run, names()[-10:]))
    if folder.exists():
        raise PipelineError(f"{folder} is there already: name a new folder")
    repository.check_out(tag, folder)
    with contextlib.chdir(folder):
        before = dict(_outputs())
        fetched = {stage for stage, _ in before if stage.startswith("fetch@")}
        batches = {str(path) for path in Path(DATA, RAW).glob("*/*.dvc")}
        come = ("pull", "--remote", remote) if remote else ("checkout",)
        run_dvc(*come, "--quiet", *sorted(fetched | batches))
        run_dvc("config", "--local", "--unset", "cache.dir")
        reproduce()
        now = dict(_outputs())
    other = [
        f"{stage}: {path}"
        for stage, path in before
        if before[stage, path] != now.get((stage, path))
    ]
    return len(before), other


def _outputs() -> Iterator[tuple[tuple[str, str], Any]]:
    """(stage, path) → digest, of dvc.lock."""
    for stage, state in yaml.safe_load(LOCK.read_bytes())["stages"].items():
        for out in state.get("outs", ()):
            yield (stage, out["path"]), out["md5"]
