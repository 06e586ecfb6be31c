from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core.machine import peak_memory

MB = 2**20


def test_the_peak_is_kept_when_memory_is_given_back() -> None:
    before = peak_memory.peak_mb()
    held = bytearray((before + 50) * MB)
    for at in range(0, len(held), 4096):
        held[at] = 1
    del held
    assert peak_memory.peak_mb() >= before + 50


def test_what_the_starting_program_held_does_not_count() -> None:
    script = (
        "import subprocess, sys\n"
        f"held = b'x' * {300 * MB}\n"
        "own = 'from pipeline.core.machine.peak_memory import peak_mb; print(peak_mb())'\n"
        "print(subprocess.check_output([sys.executable, '-c', own], text=True))"
    )
    told = subprocess.check_output([sys.executable, "-c", script], text=True)
    assert 5 <= int(told) < 200


def test_without_proc_the_kernel_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak_memory, "STATUS", tmp_path / "none")
    assert peak_memory.peak_mb() >= 5
    asked = peak_memory.peak_mb()
    monkeypatch.setattr(sys, "platform", "darwin")  # it counts in bytes
    assert peak_memory.peak_mb() == asked // 1024
