from __future__ import annotations

import os
import subprocess
import sys
from contextlib import AbstractContextManager
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pipeline.core.errors import PipelineError
from pipeline.core.machine import device
from pipeline.core.machine.device import (
    CUDA_VARIABLES,
    cuda_processor,
    repeatable_torch,
    torch_device,
)
from pipeline.models.training.determinism import deterministic


def test_cpu() -> None:
    assert torch_device("cpu") == torch.device("cpu")


def test_a_missing_gpu_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(PipelineError, match="device: cpu"):
        torch_device("cuda")


def test_a_gpu_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert torch_device("cuda") == torch.device("cuda")


def test_unknown_devices_are_refused() -> None:
    with pytest.raises(PipelineError, match=r"'tpu'.*cpu, cuda"):
        torch_device("tpu")


def test_threads_are_one_inside_and_restored_after() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with repeatable_torch():
            assert torch.get_num_threads() == 1
            assert torch.is_inference_mode_enabled()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert np.isfinite(torch.ones(1).numpy()).all()


def held() -> dict[str, object]:
    """The switches of torch that change what a GPU's kernels give."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    return {
        "cudnn": (cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32),
        "tf32": matmul.allow_tf32,
        "bf16": matmul.allow_bf16_reduced_precision_reduction,
        "fp16": matmul.allow_fp16_reduced_precision_reduction,
        "accumulation": matmul.allow_fp16_accumulation,
    }


EXACT = {
    "cudnn": (True, False, True, False),
    "tf32": False,
    "bf16": False,
    "fp16": False,
    "accumulation": False,
}


@pytest.mark.parametrize("context", [repeatable_torch(), deterministic(0, "test")])
def test_cudnn_is_used_and_kernels_are_exact(context: AbstractContextManager[None]) -> None:
    before = held()
    with context:
        assert held() == EXACT
    assert held() == before


def test_tf32_cannot_be_forced_from_outside() -> None:
    script = (
        "import torch; from pipeline.core.machine.device import repeatable_torch\n"
        "assert torch.backends.cuda.matmul.allow_tf32, 'it is forced'\n"
        "with repeatable_torch(): print(torch.backends.cuda.matmul.allow_tf32)"
    )
    forced = {**os.environ, "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1"}
    told = subprocess.check_output([sys.executable, "-c", script], env=forced, text=True)
    assert told == "False\n"


def test_a_gpu_puts_its_process_under_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for name in CUDA_VARIABLES:
        monkeypatch.setenv(name, "1")
    torch_device("cpu")
    assert {os.environ[name] for name in CUDA_VARIABLES} == {"1"}
    torch_device("cuda")
    assert {name: os.environ[name] for name in CUDA_VARIABLES} == CUDA_VARIABLES


def test_a_gpu_is_named_by_all_that_its_libraries_choose_by(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def card(multiprocessors: int) -> str:
        found = SimpleNamespace(major=9, minor=0, multi_processor_count=multiprocessors)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: found)
        return cuda_processor("cuda")

    def get_property(part: int, number: object) -> None:
        number._obj.value = (13, 1, 2)[part]  # type: ignore[attr-defined]

    asked = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 91002)
    library = SimpleNamespace(cublasGetProperty=get_property)
    monkeypatch.setattr(device.ctypes, "CDLL", lambda name: asked.append(name) or library)
    assert card(132) == "sm_90 132 SMs CUDA 13.0 cuDNN 91002 cuBLAS 13.1.2"
    assert card(114) == "sm_90 114 SMs CUDA 13.0 cuDNN 91002 cuBLAS 13.1.2"
    assert asked == ["libcublas.so.13"] * 2
