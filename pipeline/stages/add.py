"""A folder becomes a batch: looked through, copied below the raw root as a whole, given to DVC."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from pipeline.core.complaint import complaint
from pipeline.core.errors import PipelineError, unknown
from pipeline.core.files.digest import digest_file
from pipeline.core.files.lock import locked
from pipeline.core.folders import DATA, RAW
from pipeline.params import Params
from pipeline.project.survey import survey
from pipeline.raw.folders import LocalFolder
from pipeline.raw.listing import Listing, listing, unfit
from pipeline.sources import source_of


class AlreadyIn(PipelineError):
    """A batch of the source holds the same files."""


class NotVersioned(PipelineError):
    """DVC could not take a batch: the machine's fault, and none of the batch's."""


BATCH = re.compile(r"\w[\w .+~-]*")
SHOWN = 50


def add_batch(
    params: Params,
    source: str,
    folder: Path,
    batch: str = "",
    table: str = "",
    raw: Path = Path(DATA, RAW),
) -> str:
    """Copy a folder to <raw>/<source>/<batch>, `dvc add` it, and say what it brought in.

    The copy holds plain files alone: a link to a file of the same folder becomes that file's
    bytes, as DVC would make of it, and empty folders are left out. Where the file system can, its
    files share their blocks with those that they are copies of. A source of kind `folder` gets its
    table by the name that it reads, and beside it the files of the folder to which the table's
    paths are relative.

    Parameters
    ----------
    source:
        Name of the source; empty where there is but one that takes batches.
    batch:
        Name of the batch; else the folder's.
    table:
        The table, at the folder's root, that says what its files are, if it has several.

    Raises
    ------
    PipelineError
        The source takes no batches here, there is one of that name or of the same files, the folder
        holds what no batch may (all of it is listed), or copying or DVC failed. Then there is no
        new batch.
    """
    source = _source(params, source)
    batch = batch or folder.resolve().name
    if not BATCH.fullmatch(batch) or batch.endswith(".dvc"):
        raise PipelineError(f"'{batch}' cannot name a batch: give a plain name with --batch")
    place = raw / source / batch
    if not folder.is_dir():
        raise PipelineError(f"there is no folder {folder}")
    lying = listing(folder)
    _refuse_unfit(folder, lying)
    is_folder = params.sources[source].kind == "folder"
    names = _arranged(folder, lying.files, table) if is_folder else {n: n for n in lying.files}
    with locked(raw / source):
        if os.path.lexists(place) or os.path.lexists(f"{place}.dvc"):
            raise PipelineError(f"there is a {place} already: give another name with --batch")
        if same := _same_batch(folder, names, lying.files, raw / source):
            raise AlreadyIn(f"{same} holds the same files as {folder}: it is in already")
        _copy(folder, names, place)
        _give_to_dvc(place)
    renamed = [f"{name} as {to}" for name, to in names.items() if "/" not in name and name != to]
    return (
        f"{place}: {len(names)} files, {sum(lying.files.values()):,} bytes"
        f"{_scanned(params, source, place)}{''.join(f'; {one}' for one in renamed)}"
    )


def _source(params: Params, source: str) -> str:
    taking = [name for name, section in params.sources.items() if not section.root]
    if not source:
        if len(taking) != 1:
            listed = ", ".join(taking) or "none"
            raise PipelineError(f"say with --source which source it is of; there are: {listed}")
        return taking[0]
    if source not in params.sources:
        raise PipelineError(unknown("source", source, params.sources))
    if root := params.sources[source].root:
        raise PipelineError(f"the batches of {source} lie at {root}: put the folder there")
    return source


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


def _arranged(folder: Path, files: Mapping[str, int], table: str) -> dict[str, str]:
    """Path in the folder → path in the batch, which differs for a table and what it names."""
    try:
        seen = survey(folder, table)
    except PipelineError:
        if table:
            raise
        return {name: name for name in files}  # which ingest, and _scanned, have a word on
    if not seen.table:
        return {name: name for name in files}
    (lifted,) = {column.folder for column in seen.columns if column.modality} or {""}
    names = {name: name.removeprefix(lifted) for name in files}
    names[seen.table] = f"metadata{PurePosixPath(seen.table).suffix.lower()}"
    twice = sorted(to for to, times in Counter(names.values()).items() if times > 1)
    if twice:
        raise PipelineError(
            f"{folder}: {seen.table} names the files of {lifted or 'the folder'}, and two would "
            f"come in as {', '.join(twice[:SHOWN])}: rename one"
        )
    return names


def _same_batch(
    folder: Path, names: Mapping[str, str], sizes: Mapping[str, int], source: Path
) -> Path | None:
    """The batch of a source that holds the same files, byte for byte."""
    wanted = {to: sizes[name] for name, to in names.items()}
    for batch in sorted(path for path in source.glob("[!.]*") if path.is_dir()):
        if batch.is_symlink() or listing(batch).files != wanted:
            continue
        if all(digest_file(folder / n) == digest_file(batch / to) for n, to in names.items()):
            return batch
    return None


def _copy(folder: Path, names: Mapping[str, str], place: Path) -> None:
    """Copy through a hidden folder and a rename, so that half a batch never counts as one."""
    # One name for all attempts, so that what a killed one left is removed by the next.
    scratch = place.parent / ".adding"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        (scratch / ".dvcignore").write_text("*\n")  # nor does DVC see what a killed one left
        shares_blocks = True
        for name, to in names.items():
            copy = scratch / "batch" / to
            copy.parent.mkdir(parents=True, exist_ok=True)
            # Where one file cannot, the next need not try, which takes as long as to copy it.
            shares_blocks = shares_blocks and _shares_blocks(folder / name, copy)
            if not shares_blocks:
                shutil.copyfile(folder / name, copy)
        (scratch / "batch").replace(place)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _shares_blocks(source: Path, copy: Path) -> bool:
    """Copy by sharing blocks (btrfs, XFS), which takes no room; whether the file system could."""
    from dvc_objects.fs.system import reflink

    try:
        reflink(str(source), str(copy))  # type: ignore[no-untyped-call]
    except OSError:
        return False
    return True


def _give_to_dvc(place: Path) -> None:
    asked = [sys.executable, "-m", "dvc", "add", str(place)]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotVersioned(f"`dvc add {place}` failed: {complaint(done.stderr)}")
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        Path(f"{place}.dvc").unlink(missing_ok=True)
        raise


def _scanned(params: Params, source: str, place: Path) -> str:
    """What the source makes of the batch, before anything is decoded."""
    section = params.sources[source]
    scan = source_of(section.kind).scan(LocalFolder(place), section.options)
    reasons = Counter(refusal.reason for refusal in scan.refused)
    refused = ", ".join(f"{n} {reason}" for reason, n in sorted(reasons.items()))
    return f", {len(scan.samples)} samples" + (f"; refused: {refused}" if refused else "")
