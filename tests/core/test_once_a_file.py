"""What spans of a file share is computed once, and what refuses it too."""

from __future__ import annotations

import pytest

from pipeline.core import once_a_file as module
from pipeline.core.errors import Rejected
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
