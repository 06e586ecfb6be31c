"""What a revision costs: the files under git and DVC, a batch appended, both revisions read.

The project is made a repository whose cache links to its files, so nothing is copied.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import ours
from benchmarks.store.contenders import SET, load_memmap
from benchmarks.store.corpus import digest_of, put_part
from pipeline.parts.fingerprint import Fingerprint
from pipeline.parts.manifest import read_function, read_manifest, write_manifest
from pipeline.store.diff import files_between
from pipeline.store.trees.revision import Revision

FOLDER = f"data/features/{SET}"
BATCH = "c00"


def measure(project: Path, rounds: int) -> dict[str, Any]:
    """`append`, `revision` and `diff`: figures of each."""
    if not (project / ".git").is_dir():
        _begin(project)
    appended = _append(project)
    from pipeline.store import open_store

    before = open_store(project, "first")
    timed: dict[str, list[float]] = {name: [] for name in ("ours", "memmap copy")}
    counts: dict[str, list[float]] = {name: [] for name in ("ours", "DVCFileSystem")}
    diffs: dict[str, list[float]] = {name: [] for name in ("ours, files", "ours, rows", "dvc diff")}
    rows = len(before[SET])
    for _ in range(rounds):
        timed["ours"].append(_seconds(lambda: open_store(project, "first")[SET].to_numpy()))
        timed["memmap copy"].append(_seconds(lambda: load_memmap(project)))
        counts["ours"].append(
            _seconds(lambda: _same(before.sql(f"SELECT count(*) AS n FROM {SET}"), rows))
        )
        diffs["ours, files"].append(_seconds(lambda: _files(project)))
        diffs["ours, rows"].append(_seconds(lambda: before.diff("first", "second")))
        diffs["dvc diff"].append(_seconds(lambda: _diff_through_dvc(project)))
    counts["DVCFileSystem"].append(_seconds(lambda: _count_through_dvc(project, rows)))
    _shell(project, "git", "checkout", "--quiet", "first")
    _shell(project, "dvc", "checkout", "--quiet", "--force")
    medians = {
        name: {way: statistics.median(found) for way, found in ways.items()}
        for name, ways in (("revision", timed), ("count", counts), ("diff", diffs))
    }
    return {"append": appended, **medians}


def _begin(project: Path) -> None:
    (project / ".gitignore").write_text("/data/**\n!/data/**/\n!/data/**/*.dvc\n.pipeline/\n")
    for command in (
        "git init --quiet",
        "dvc init --quiet",
        "dvc config cache.type hardlink",
        "dvc config core.analytics false",
        f"dvc add {FOLDER}",
        "git add -f -A .dvc .gitignore params.yaml data/features/words.dvc",
        "git -c user.name=b -c user.email=b@b commit --quiet -m first",
        "git tag first",
    ):
        _shell(project, *command.split())


def _append(project: Path) -> dict[str, float]:
    """One per cent of new rows as a batch: bytes that the cache grew by, as a share."""
    said = project / "appended.json"
    if said.is_file():
        found: dict[str, float] = json.loads(said.read_text())
        return found
    folder = project / FOLDER
    entries = read_manifest(folder)
    width = np.load(project / "data" / f"{SET}.npy", mmap_mode="r").shape[1]
    count = sum(entry.rows for entry in entries) // 100
    digests = sorted(digest_of("new", row) for row in range(count))
    values = np.random.default_rng(5).standard_normal((count, width), np.float32)
    before = _cached(project)
    old = {path: path.stat().st_ino for path in folder.glob("*.parquet")}
    new = put_part(folder, BATCH, digests, np.ones(count, np.int32), values)
    function = Fingerprint(**read_function(folder))
    (folder / "_manifest.json").unlink()
    write_manifest(folder, f"extract/{SET}", [*entries, new], function)
    for command in (
        f"dvc add {FOLDER}",
        "git add -f data/features/words.dvc",
        "git -c user.name=b -c user.email=b@b commit --quiet -m second",
        "git tag second",
    ):
        _shell(project, *command.split())
    grown = _cached(project) / before - 1
    touched = sum(path.stat().st_ino != inode for path, inode in old.items())
    told = {"grown": grown, "touched": touched}
    said.write_text(json.dumps(told))
    return told


def _cached(project: Path) -> int:
    cache = project / ".dvc" / "cache" / "files"
    return sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())


def _files(project: Path) -> None:
    """Paths that differ, from the listings of both revisions."""
    found = files_between(Revision.at(project, "first"), Revision.at(project, "second"))
    assert len(found["added"]) == 1


def _diff_through_dvc(project: Path) -> None:
    """The same in DVC's words, in this process."""
    from dvc.repo import Repo

    with Repo(str(project)) as repo:
        assert repo.diff("first", "second")["added"]


def _count_through_dvc(project: Path, rows: int) -> None:
    """DuckDB over an Arrow dataset on DVC's file system, which DuckDB does not take by itself."""
    script = (
        "import duckdb, sys\n"
        "import pyarrow.dataset as ds\n"
        "from dvc.api import DVCFileSystem\n"
        "fs = DVCFileSystem(sys.argv[1], rev='first')\n"
        f"files = fs.glob('{FOLDER}/*.parquet')\n"
        "rows = ds.dataset(files, filesystem=fs)\n"
        "print(duckdb.connect().sql('SELECT count(*) FROM rows').fetchall()[0][0])\n"
    )
    told = _shell(project, sys.executable, "-c", script, str(project))
    assert int(told) == rows


def _same(table: Any, rows: int) -> None:
    assert table["n"][0].as_py() == rows


def _seconds(job: Any) -> float:
    """Of the second time: the first one fetches memory that the machine may have lent elsewhere."""
    job()
    began = time.perf_counter()
    job()
    return time.perf_counter() - began


def _shell(project: Path, *command: str) -> str:
    done = subprocess.run(
        command, cwd=project, env=ours.environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-2000:]}")
    return done.stdout
