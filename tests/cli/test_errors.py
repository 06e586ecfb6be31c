from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pytest
import typer

from pipeline.cli.errors import handle_errors
from pipeline.cli.start import start
from tests.cli.stamps import stamps
from tests.dataset import HERE

__all__ = ["stamps"]


def failing(number: int, path: str | None = None) -> None:
    raise OSError(number, os.strerror(number), path)


def test_a_file_that_fails_ends_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        handle_errors(failing)(errno.EACCES, "data/x")
    assert ended.value.exit_code == 1
    assert capsys.readouterr().err.startswith("error: data/x: Permission denied. What is finished")


def test_ctrl_c_while_the_command_is_loaded_shows_no_stack(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted(ModuleType):
        def __getattr__(self, name: str) -> None:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "pipeline.cli.main", Interrupted("pipeline.cli.main"))
    with pytest.raises(SystemExit) as ended:
        start()
    assert ended.value.code == 130
    assert capsys.readouterr() == ("", "")


def test_what_has_no_path_is_told_without(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        handle_errors(failing)(errno.ENOSPC)
    assert capsys.readouterr().err.startswith("error: No space left on device. ")


def test_another_pipe_that_breaks_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        handle_errors(failing)(errno.EPIPE)
    assert capsys.readouterr().err.startswith("error: Broken pipe. What is finished")


@pytest.mark.parametrize("number", [1, 2])
def test_an_output_that_nobody_reads_any_more_is_left_to_click(number: int) -> None:
    reader, writer = os.pipe()
    kept = os.dup(number)
    os.close(reader)
    os.dup2(writer, number)
    try:
        with pytest.raises(BrokenPipeError):
            handle_errors(failing)(errno.EPIPE)
    finally:
        os.dup2(kept, number)
        os.close(kept)
        os.close(writer)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        pa.ArrowMemoryError("malloc of size 64 failed"),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
        ImportError("libx.so: failed to map segment from shared object"),
        RuntimeError("can't start new thread"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_want_of_memory_is_told(capsys: pytest.CaptureFixture[str], error: Exception) -> None:
    def short() -> None:
        try:
            raise error
        except Exception as cause:
            raise ValueError("it came to nothing") from cause

    with pytest.raises(typer.Exit) as ended:
        handle_errors(short)()
    assert ended.value.exit_code == 1
    assert capsys.readouterr().err.startswith("error: there is too little memory here.")


def test_a_fault_of_the_program_is_a_traceback() -> None:
    def faulty() -> None:
        raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such thing"):
        handle_errors(faulty)()


@pytest.mark.parametrize("command", ["stats", "validate"])
@pytest.mark.parametrize("megabytes", [60, 100, 160, 240])
def test_little_memory_ends_in_a_sentence(stamps: Path, command: str, megabytes: int) -> None:
    """Nor is what could not be read for want of memory taken for damaged."""
    limited = (
        f"ulimit -v {megabytes * 1024}; exec {sys.executable} -m pipeline.cli.main store {command}"
    )
    done = subprocess.run(
        ["sh", "-c", f"{limited} use_multilingual"],
        env={**os.environ, "PYTHONPATH": str(HERE), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    # OpenBLAS and libraries written in Rust end the process by themselves, in a sentence each.
    sentences = (
        "error: there is too little memory here.",
        "OpenBLAS error: Memory allocation",
        "memory allocation of ",
    )
    assert done.returncode == 0 or done.stderr.startswith(sentences)
