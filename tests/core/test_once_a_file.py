"""What spans of a file share is computed once, and what refuses it too."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.core import once_a_file as module
from pipeline.core.errors import PipelineError, Rejected
from pipeline.core.files.file_bytes import Bytes, FileBytes
from pipeline.core.once_a_file import REMEMBERED, once_a_file


@pytest.fixture(autouse=True)
def nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_results", {})


def test_equal_bytes_and_arguments_are_computed_once() -> None:
    calls = []

    @once_a_file
    def length(data: bytes, factor: int) -> int:
        calls.append((data, factor))
        return factor * len(data)

    @once_a_file
    def half(data: bytes, factor: int) -> int:
        return length(data, factor) // 2

    assert [length(bytes([1, 2]), factor) for factor in (1, 3, 1, 3)] == [2, 6, 2, 6]
    assert half(bytes([1, 2]), 3) == 3
    assert length(b"other", 1) == 5
    assert calls == [(b"\1\2", 1), (b"\1\2", 3), (b"other", 1)]


def test_a_refusal_is_remembered_and_another_error_is_not() -> None:
    calls = []

    @once_a_file
    def read(data: bytes) -> int:
        calls.append(data)
        raise MemoryError if data == b"large" else Rejected("empty", "nothing in it")

    for _ in range(2):
        with pytest.raises(Rejected, match="nothing in it") as refused:
            read(b"")
        assert refused.value.reason == "empty"
        with pytest.raises(MemoryError):
            read(b"large")
    assert calls == [b"", b"large", b"large"]


def test_the_files_asked_about_last_are_remembered() -> None:
    calls = []

    @once_a_file
    def read(data: bytes) -> bytes:
        calls.append(data)
        return data

    files = [str(place).encode() for place in range(REMEMBERED)]
    for data in (*files, files[0], b"one more", files[0], files[1]):
        read(data)
    assert calls == [*files, b"one more", files[1]]


@once_a_file
def first_byte(data: Bytes) -> bytes:
    try:
        return data[:1]
    except OSError:
        raise Rejected("damaged", "it ends too early") from None


def test_what_was_made_of_other_bytes_is_not_remembered(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"good")
    data = FileBytes(path)
    path.write_bytes(b"evil")
    with pytest.raises(PipelineError, match="changed"):
        first_byte(data)
    path.write_bytes(b"good")
    assert (first_byte(FileBytes(path)), first_byte(b"good")) == (b"g", b"g")


def test_a_refusal_for_want_of_a_read_is_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"good")
    data = FileBytes(path)

    def broken(*of: object) -> bytes:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", broken)
        with pytest.raises(PipelineError, match="could not be read"):
            first_byte(data)
    assert (first_byte(FileBytes(path)), first_byte(b"good")) == (b"g", b"g")
