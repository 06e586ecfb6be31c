"""A folder becomes a batch: looked through, copied below the raw root as a whole, given to DVC."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from pipeline.core.errors import PipelineError, unknown
from pipeline.core.files.lock import locked
from pipeline.core.folders import DATA, RAW
from pipeline.core.registry import load
from pipeline.params import Params
from pipeline.raw.folders import LocalFolder
from pipeline.raw.listing import Listing, listing, unfit

BATCH = re.compile(r"\w[\w .+~-]*")
SHOWN = 50


def add_batch(
    params: Params, source: str, folder: Path, batch: str = "", raw: Path = Path(DATA, RAW)
) -> str:
    """Copy a folder to <raw>/<source>/<batch>, `dvc add` it, and say what it brought in.

    The copy holds plain files alone: a link to a file of the same folder becomes that file's
    bytes, as DVC would make of it, and empty folders are left out.

    Raises
    ------
    PipelineError
        The source takes no batches here, there is one of that name, the folder holds what no batch
        may (all of it is listed), or copying or DVC failed. Then there is no new batch.
    """
    if source not in params.sources:
        raise PipelineError(unknown("source", source, params.sources))
    if root := params.sources[source].root:
        raise PipelineError(f"the batches of {source} lie at {root}: put the folder there")
    batch = batch or folder.resolve().name
    if not BATCH.fullmatch(batch) or batch.endswith(".dvc"):
        raise PipelineError(f"'{batch}' cannot name a batch: give a plain name with --batch")
    place = raw / source / batch
    if not folder.is_dir():
        raise PipelineError(f"there is no folder {folder}")
    lying = listing(folder)
    _refuse_unfit(folder, lying)
    with locked(raw / source):
        if os.path.lexists(place) or os.path.lexists(f"{place}.dvc"):
            raise PipelineError(f"there is a {place} already: give another name with --batch")
        _copy(folder, lying, place)
        _give_to_dvc(place)
    return (
        f"{place}: {len(lying.files)} files, {sum(lying.files.values()):,} bytes"
        f"{_scanned(params, source, place)}. Next: `git add {place}.dvc`, `dvc repro`"
    )


def _refuse_unfit(folder: Path, lying: Listing) -> None:
    problems = unfit(folder, lying)
    if problems:
        listed = "\n".join(f"  {path}: {why}" for path, why in list(problems.items())[:SHOWN])
        more = f"\n  and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise PipelineError(
            f"{folder} cannot be a batch as it is; remove or replace these:\n{listed}{more}"
        )
    if not lying.files:
        raise PipelineError(f"there is no file in {folder}")


def _copy(folder: Path, lying: Listing, place: Path) -> None:
    """Copy through a hidden folder and a rename, so that half a batch never counts as one."""
    # One name for all attempts, so that what a killed one left is removed by the next.
    scratch = place.parent / ".adding"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        (scratch / ".dvcignore").write_text("*\n")  # nor does DVC see what a killed one left
        for name in lying.files:
            copy = scratch / "batch" / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, copy)
        (scratch / "batch").replace(place)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _give_to_dvc(place: Path) -> None:
    asked = [sys.executable, "-m", "dvc", "add", str(place)]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        if done.returncode:
            raise PipelineError(f"`dvc add {place}` failed: {done.stderr.strip()}")
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        Path(f"{place}.dvc").unlink(missing_ok=True)
        raise


def _scanned(params: Params, source: str, place: Path) -> str:
    """What the source makes of the batch, before anything is decoded."""
    section = params.sources[source]
    scan = load("sources", section.kind).scan(LocalFolder(place), section.options)
    reasons = Counter(refusal.reason for refusal in scan.refused)
    refused = ", ".join(f"{n} {reason}" for reason, n in sorted(reasons.items()))
    return f", {len(scan.samples)} samples" + (f"; refused: {refused}" if refused else "")
