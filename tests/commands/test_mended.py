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


def test_a_closed_pipe_is_left_to_click() -> None:
    with pytest.raises(BrokenPipeError):
        mended(failing)(errno.EPIPE)
