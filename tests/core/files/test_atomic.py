"""A file is whole or not there, whoever else writes it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from threading import Barrier, Thread

import pytest

from pipeline.core.files.atomic import (
    ABANDONED_S,
    HALVES,
    atomic_write,
    exchange,
    half,
    remove_abandoned,
)


def test_a_file_appears_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("before")
    with atomic_write(path) as temporary:
        temporary.write_text("after")
        assert path.read_text() == "before"
    assert path.read_text() == "after"
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_leaves_what_stood_there(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("before")

    def write() -> None:
        with atomic_write(path) as temporary:
            temporary.write_text("ha")
            raise ValueError("half")

    with pytest.raises(ValueError, match="half"):
        write()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_two_threads_write_one_file_each_for_itself(tmp_path: Path) -> None:
    path, both, written = tmp_path / "a", Barrier(2, timeout=10), []

    def write(text: str) -> None:
        with atomic_write(path) as temporary:
            temporary.write_text(text)
            both.wait()
            written.append(temporary.read_text() == text)
            both.wait()

    threads = [Thread(target=write, args=[text]) for text in ("one", "the other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert written == [True, True]
    assert path.read_text() in ("one", "the other")
    assert list(tmp_path.iterdir()) == [path]


def test_in_a_project_nothing_half_written_lies_beside_a_file(inside: Path) -> None:
    Path(".pipeline").mkdir()
    path = Path("data/clean/image/a.parquet")
    path.parent.mkdir(parents=True)
    with atomic_write(path) as temporary:
        temporary.write_text("after")
        assert temporary.parent == inside / HALVES
        assert list(path.parent.iterdir()) == []
    assert path.read_text() == "after"
    assert list(HALVES.iterdir()) == []


def test_a_link_is_replaced_and_not_what_it_leads_to(inside: Path) -> None:
    Path(".pipeline").mkdir()
    Path("cached").write_text("before")
    Path("out").symlink_to("cached")
    with atomic_write(Path("out")) as temporary:
        temporary.write_text("after")
    assert (Path("out").is_symlink(), Path("out").read_text()) == (False, "after")
    assert Path("cached").read_text() == "before"


def test_where_no_rename_leads_the_half_lies_beside(inside: Path) -> None:
    """Another mount, be it of the same file system: `mount --bind` shows only by the rename."""
    Path(".pipeline").mkdir()
    Path("data").mkdir()
    Path("elsewhere").mkdir()
    mount = ["unshare", "-m", "sh", "-c", 'mount --bind elsewhere data && exec "$@"', "sh"]
    if subprocess.run([*mount, "true"], capture_output=True, check=False).returncode:
        pytest.skip("mounting in a namespace of one's own needs root")
    script = (
        "from pathlib import Path; from pipeline.core.files.atomic import half; "
        "print(half(Path('data/x')))"
    )
    told = subprocess.check_output([*mount, sys.executable, "-c", script], text=True)
    assert Path(told.strip()).parent == Path("data")
    assert half(Path("data/x")).parent == inside / HALVES


def test_what_dead_writers_left_goes_after_a_day_and_what_is_written_stays(inside: Path) -> None:
    Path(".pipeline").mkdir()
    old, fresh, folder, growing = (half(Path(name)) for name in ("a", "b", "c", "d"))
    for path in (old, fresh):
        path.write_text("half")
    for path in (folder, growing):
        path.mkdir()
        (path / "inside").write_text("half")
    scratch = HALVES / "data-models-mean"  # an artifact's, which its next run empties
    scratch.mkdir()
    then = time.time() - ABANDONED_S - 60
    for path in (old, folder / "inside", folder, growing, scratch):
        os.utime(path, (then, then))
    remove_abandoned()
    assert {path.name for path in HALVES.iterdir()} == {fresh.name, growing.name, scratch.name}


def test_two_folders_take_each_others_places(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "which").write_text(folder.name)
    exchange(new, old)
    assert [(tmp_path / name / "which").read_text() for name in ("old", "new")] == ["new", "old"]
    with pytest.raises(OSError, match="No such file"):
        exchange(old, tmp_path / "none")
