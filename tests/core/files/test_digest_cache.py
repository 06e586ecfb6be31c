"""Remembered digests are right whatever happens to the files."""

from __future__ import annotations

import os
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from pipeline.core.files import digest_cache as module
from pipeline.core.files.digest_cache import open_digest_cache


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "memory" / "digests.sqlite"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read; a change counts as settled at once, so that no test need wait."""
    seen: list[Path] = []

    def digest_file(path: Path, algorithm: str) -> str:
        assert algorithm == "sha256"
        seen.append(path)
        return sha256(path.read_bytes()).hexdigest()

    monkeypatch.setattr(module, "digest_file", digest_file)
    monkeypatch.setattr(module, "SETTLED_NS", -(10**12))
    return seen


def test_a_file_is_read_once(tmp_path: Path, memory: Path, reads: list[Path]) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    for _ in range(3):
        with open_digest_cache(memory) as digests:
            assert digests.file(path) == sha256(b"one").hexdigest()
    assert reads == [path]


def test_a_changed_file_is_read_again(tmp_path: Path, memory: Path, reads: list[Path]) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    with open_digest_cache(memory) as digests:
        digests.file(path)
    before = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # as `cp --preserve` does
    with open_digest_cache(memory) as digests:
        assert digests.file(path) == sha256(b"two").hexdigest()
    assert reads == [path, path]


def test_what_changed_just_now_is_not_remembered(tmp_path: Path, memory: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    with open_digest_cache(memory) as digests:
        digests.file(path)
        assert digests.learnt == {}


def test_a_damaged_memory_is_begun_anew(tmp_path: Path, memory: Path, reads: list[Path]) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    memory.parent.mkdir()
    memory.write_bytes(b"no database" * 1000)
    for _ in range(2):
        with open_digest_cache(memory) as digests:
            assert digests.file(path) == sha256(b"one").hexdigest()
    assert reads == [path]


def test_a_tree_has_the_digest_that_sha256sum_gives(tmp_path: Path, memory: Path) -> None:
    folder = tmp_path / "tree"
    for name in ("b", "a/z", "a-b/c", "é/ü"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    command = "find . -type f -printf '%P\\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum"
    shown = subprocess.run(command, shell=True, cwd=folder, capture_output=True, check=True).stdout
    with open_digest_cache(memory) as digests:
        assert digests.tree(folder) == shown.split()[0].decode()
        (folder / "b").rename(folder / "c")
        assert digests.tree(folder) != shown.split()[0].decode()


def test_what_was_noted_is_known_without_reading_unless_it_changed(
    tmp_path: Path, memory: Path, reads: list[Path]
) -> None:
    kept, changed, gone = (tmp_path / name for name in "abc")
    with open_digest_cache(memory) as digests:
        for path in (kept, changed, gone):
            path.write_bytes(b"one")
            digests.add(path, sha256(b"one").hexdigest())
        changed.write_bytes(b"other")
        gone.unlink()
    with open_digest_cache(memory) as digests:
        assert digests.file(kept) == sha256(b"one").hexdigest()
        assert digests.file(changed) == sha256(b"other").hexdigest()
    assert reads == [changed]


def test_what_was_noted_just_now_is_not_remembered(
    tmp_path: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    with open_digest_cache(memory) as digests:
        digests.add(path, "0" * 64)
    monkeypatch.setattr(module, "_SEEN", {})  # as in another process
    with open_digest_cache(memory) as digests:
        assert digests.file(path) == sha256(b"one").hexdigest()


def test_what_one_memory_noted_another_need_not_read_in_this_process(
    tmp_path: Path, memory: Path, reads: list[Path]
) -> None:
    path, other = tmp_path / "a", memory.with_name("other.sqlite")
    path.write_bytes(b"one")
    with open_digest_cache(memory) as digests:
        digests.add(path, sha256(b"one").hexdigest())
    with open_digest_cache(other) as digests:
        assert digests.file(path) == sha256(b"one").hexdigest()
    assert reads == []
    path.write_bytes(b"other")
    with open_digest_cache(other) as digests:
        assert digests.file(path) == sha256(b"other").hexdigest()
    assert reads == [path]
