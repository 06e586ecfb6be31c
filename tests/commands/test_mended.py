from __future__ import annotations

import errno
import os

import pytest
import typer

from pipeline.commands.mended import mended


def failing(number: int, path: str | None = None) -> None:
    raise OSError(number, os.strerror(number), path)


def test_a_file_that_fails_ends_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        mended(failing)(errno.EACCES, "data/x")
    assert ended.value.exit_code == 1
    assert capsys.readouterr().err.startswith("error: data/x: Permission denied. What is finished")


def test_what_has_no_path_is_told_without(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        mended(failing)(errno.ENOSPC)
    assert capsys.readouterr().err.startswith("error: No space left on device. ")


def test_another_pipe_that_breaks_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        mended(failing)(errno.EPIPE)
    assert capsys.readouterr().err.startswith("error: Broken pipe. What is finished")


@pytest.mark.parametrize("number", [1, 2])
def test_an_output_that_nobody_reads_any_more_is_left_to_click(number: int) -> None:
    reader, writer = os.pipe()
    kept = os.dup(number)
    os.close(reader)
    os.dup2(writer, number)
    try:
        with pytest.raises(BrokenPipeError):
            mended(failing)(errno.EPIPE)
    finally:
        os.dup2(kept, number)
        os.close(kept)
        os.close(writer)


@pytest.mark.parametrize(
    "error", [MemoryError("no room"), ImportError("libx.so: failed to map segment")]
)
def test_a_machine_that_falls_short_ends_in_a_sentence(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(typer.Exit):
        mended(fail)()
    assert f"this machine fell short ({type(error).__name__}: {error})" in capsys.readouterr().err
