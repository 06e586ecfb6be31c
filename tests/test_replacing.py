"""A file is whole or not there, whoever else writes it."""

from __future__ import annotations

from pathlib import Path
from threading import Barrier, Thread

import pytest

from pipeline.replacing import replacing


def test_a_file_appears_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("before")
    with replacing(path) as temporary:
        temporary.write_text("after")
        assert path.read_text() == "before"
    assert path.read_text() == "after"
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_leaves_what_stood_there(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("before")

    def write() -> None:
        with replacing(path) as temporary:
            temporary.write_text("ha")
            raise ValueError("half")

    with pytest.raises(ValueError, match="half"):
        write()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_two_threads_write_one_file_each_for_itself(tmp_path: Path) -> None:
    path, both, written = tmp_path / "a", Barrier(2, timeout=10), []

    def write(text: str) -> None:
        with replacing(path) as temporary:
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
