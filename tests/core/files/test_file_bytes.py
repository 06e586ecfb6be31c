"""A file where it lies is read as its bytes are, and tells if it is no longer the same."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.files import file_bytes
from pipeline.core.files.digest import digest_bytes
from pipeline.core.files.file_bytes import FileBytes, digest_of, reader_of

DATA = bytes(range(256)) * 1200


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(DATA)
    return path


def test_it_is_cut_and_read_as_its_bytes_are(path: Path) -> None:
    data = FileBytes(path)
    assert (len(data), data.digest, digest_of(DATA)) == (len(DATA), digest_bytes(DATA), data.digest)
    for cut in (slice(None), slice(5, 9), slice(-3, None), slice(9, 5), slice(len(DATA), 10**9)):
        assert data[cut] == DATA[cut]
    files = [reader_of(data), reader_of(DATA)]
    for offset, whence in ((0, 2), (-9, 1), (7, 0), (3, 1), (10**7, 0)):
        ours, theirs = ((f.seek(offset, whence), f.tell(), f.read(40), f.tell()) for f in files)
        assert ours == theirs
    with pytest.raises(ValueError, match="place -1"):
        files[0].seek(-1)
    assert pickle.loads(pickle.dumps(data)) == DATA


def test_readers_have_places_of_their_own_and_leave_the_file_open(path: Path) -> None:
    data = FileBytes(path)
    first, second = reader_of(data), reader_of(data)
    first.seek(100)
    assert second.read(2) == DATA[:2]
    first.close()
    assert data[:3] == second.read(0) + DATA[:3]


def opened() -> int:
    """How many files this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_a_file_is_closed_when_nobody_reads_it(path: Path) -> None:
    before = opened()
    data = FileBytes(path)
    reader = reader_of(data)
    del data
    assert opened() == before + 1
    del reader
    assert opened() == before


def test_what_becomes_of_its_name_is_nothing_to_it(path: Path) -> None:
    data = FileBytes(path)
    with data.unchanged():
        path.rename(path.with_name("old.mp4"))
        path.write_bytes(b"another")
        assert data[:] == DATA


def test_new_links_and_rights_do_not_change_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_bytes, "SETTLED_NS", -(10**18))
    data = FileBytes(path)
    with data.unchanged():
        path.with_name("link.mp4").hardlink_to(path)
        path.chmod(0o400)


@pytest.mark.parametrize("settled", [True, False])
@pytest.mark.parametrize("harm", ["altered", "cut", "longer"])
def test_bytes_that_changed_are_worth_nothing(
    path: Path, harm: str, settled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if settled:
        os.utime(path, (1e9, 1e9))
        monkeypatch.setattr(file_bytes, "SETTLED_NS", -(10**18))
    data = FileBytes(path)
    with pytest.raises(PipelineError, match=r"film\.mp4 changed"), data.unchanged():
        change(path, harm, keeps_time=not settled)


def change(path: Path, harm: str, keeps_time: bool) -> None:
    """As a write within one tick of the clock does, whose time is no other than the one before."""
    stamp = path.stat()
    with path.open("r+b") as file:
        if harm == "cut":
            file.truncate(1000)
        else:
            file.seek(0, io.SEEK_END if harm == "longer" else io.SEEK_SET)
            file.write(b"!")
    if keeps_time:
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))


def test_what_a_decoder_raised_of_bytes_that_changed_is_no_matter(path: Path) -> None:
    data = FileBytes(path)

    def decode() -> None:
        change(path, "cut", keeps_time=False)
        raise ZeroDivisionError

    with pytest.raises(PipelineError, match="changed"), data.unchanged():
        decode()


def test_a_read_that_failed_is_told_though_a_decoder_passed_over_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = FileBytes(path)

    def broken(*of: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", broken)
    with pytest.raises(PipelineError, match="could not be read"), data.unchanged():
        with_a_decoder_that_passes_over_it(data)


def with_a_decoder_that_passes_over_it(data: FileBytes) -> None:
    with pytest.raises(OSError, match="Input/output"):
        reader_of(data).read(1)
