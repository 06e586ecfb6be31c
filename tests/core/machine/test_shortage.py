"""What the machine falls short of refuses no row."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnxruntime.capi.onnxruntime_pybind11_state as onnx_errors
import pyarrow as pa
import pytest
import soundfile
import torch

from pipeline.core.errors import PipelineError, Rejected
from pipeline.core.machine.shortage import Shortage, is_shortage, prove_room
from pipeline.parts.part import Row, apply_bisecting
from pipeline.raw import parquet_child
from pipeline.raw import table_file as rows
from tests import starved
from tests.modalities.image.pictures import encoded, scene, svg


def opencv_error(code: int) -> Exception:
    error = cv2.error("an error of OpenCV")
    error.code = code
    return error


def torch_error() -> Exception:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 50)
    return caught.value


SHORTAGES = [
    MemoryError(),
    np._core._exceptions._ArrayMemoryError((1,), np.dtype("u1")),  # type: ignore[attr-defined]
    pa.lib.ArrowMemoryError("malloc of size 64 failed"),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EMFILE, "Too many open files"),
    ImportError("libx.so: failed to map segment from shared object"),
    RuntimeError("can't start new thread"),
    RuntimeError("std::bad_alloc"),
    SystemError("error return without exception set"),
    opencv_error(-4),
    soundfile.LibsndfileError(17),
    torch.OutOfMemoryError("CUDA out of memory"),
    torch_error(),
    onnx_errors.RuntimeException("Failed to allocate memory for requested buffer of size 64"),
]
FAULTS = [
    ValueError("out of memory"),
    RuntimeError("shapes do not agree"),
    opencv_error(-215),
    soundfile.LibsndfileError(3),
    Rejected("truncated", "malloc"),
    PipelineError("out of memory"),
    onnx_errors.Fail("the graph does not agree"),
]


@pytest.mark.parametrize("error", SHORTAGES, ids=repr)
def test_a_shortage_ends_the_part(error: Exception) -> None:
    def step(some: list[Row], values: list[int]) -> list[int]:
        raise error

    with pytest.raises(Shortage, match="toy: this machine fell short"):
        apply_bisecting(step, [Row("d", "k", "s", "b", 1)], [1], "toy")


@pytest.mark.parametrize("error", FAULTS, ids=repr)
def test_a_fault_of_a_row_is_none(error: Exception) -> None:
    assert not is_shortage(error)


def test_room_is_proven() -> None:
    prove_room(1 << 20)
    with pytest.raises(OSError, match="Cannot allocate memory"):
        prove_room(1 << 60)


def wav(seconds: float) -> bytes:
    noise = np.random.default_rng(0).standard_normal((int(48_000 * seconds), 2)) / 20
    path = Path("sound.wav")
    soundfile.write(path, noise.astype(np.float32), 48_000)
    return path.read_bytes()


def large(extension: str, *flags: int) -> bytes:
    return encoded(scene(900, 1500), extension, *flags)


FILES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "png": ("image", lambda: large(".png")),
    "jpeg": ("image", lambda: large(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)),
    "webp": ("image", lambda: large(".webp", cv2.IMWRITE_WEBP_QUALITY, 101)),
    "svg": ("image", lambda: svg('<rect width="9" height="9" fill="red"/>')),
    "wav": ("audio", lambda: wav(5)),
    "text": ("text", lambda: b"many words " * 800),
}


@pytest.mark.parametrize("kind", FILES)
def test_whatever_memory_there_is_a_good_file_is_never_refused(kind: str, inside: Path) -> None:
    modality, make = FILES[kind]
    Path("file").write_bytes(make())
    command = [sys.executable, starved.__file__, modality, "file"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answers = json.loads(done.stdout)
    assert "shortage" in answers
    # A process may die of it too: Python itself ends where an import finds no memory for its error.
    assert set(answers) <= {"shortage", "", answers[-1]}
    assert "array" in answers[-1] or "words" in answers[-1]


def test_a_table_is_not_damaged_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    short = subprocess.CompletedProcess([], parquet_child.MACHINE_SHORT, b"")
    monkeypatch.setattr(subprocess, "run", lambda *command, **how: short)
    with pytest.raises(PipelineError, match="too little memory"):
        rows.read("metadata.parquet", b"PAR1PAR1")
