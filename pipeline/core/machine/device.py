"""Where torch computes: the one place that chooses a device, and holds its kernels."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.core.errors import PipelineError, unknown

if TYPE_CHECKING:
    import torch

DEVICES = ("cpu", "cuda")

# What NVIDIA's libraries and torch read from the environment and what changes a sum's bits: no
# TF32 nor emulation whatever a container says, workspaces of one size, no second choice of library.
CUDA_VARIABLES = {
    "NVIDIA_TF32_OVERRIDE": "0",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "0",
    "CUBLAS_EMULATE_SINGLE_PRECISION": "0",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    "CUBLASLT_WORKSPACE_SIZE": "32768",
    "TORCH_CUBLASLT_UNIFIED_WORKSPACE": "0",
    "TORCH_BLAS_PREFER_CUBLASLT": "0",
    "TORCH_CUDNN_USE_HEURISTIC_MODE_B": "0",
}


def torch_device(name: str) -> torch.device:
    """The device that params.yaml names; it is keyed, so nothing stands in for a missing one.

    For a GPU, this process is put under `CUDA_VARIABLES`, which go before what the shell had set:
    the libraries read them when they first compute.

    Raises
    ------
    PipelineError
        No such kind of device, or this machine has none.
    """
    import torch

    if name not in DEVICES:
        raise PipelineError(unknown("device", name, DEVICES))
    if name == "cuda":
        os.environ.update(CUDA_VARIABLES)
        if not torch.cuda.is_available():
            raise PipelineError(
                "params.yaml asks for `device: cuda`, but torch finds no CUDA device on this "
                "machine; write `device: cpu`, run where there is a GPU, or name a Ray cluster "
                "that has one in execution.ray_address"
            )
    return torch.device(name)


def cuda_processor(name: str) -> str:
    """What a GPU is in a key: `sm_90 132 SMs CUDA 13.0 cuDNN 91002 cuBLAS 13.1.0`.

    cuBLAS promises equal bits for one architecture, one number of multiprocessors and one version
    of the library (its manual, "Results reproducibility").

    Raises
    ------
    PipelineError
        This machine has no such device, or its cuBLAS cannot be asked.
    """
    import torch

    card = torch.cuda.get_device_properties(torch_device(name))
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    return (
        f"sm_{card.major}{card.minor} {card.multi_processor_count} SMs CUDA {torch.version.cuda} "
        f"cuDNN {cudnn} cuBLAS {_cublas(str(torch.version.cuda))}"
    )


def _cublas(cuda: str) -> str:
    """The version of the cuBLAS that torch has loaded, of which torch itself tells nothing."""
    try:
        library = ctypes.CDLL(f"libcublas.so.{cuda.split('.')[0]}")
    except OSError as error:
        raise PipelineError(
            f"the key of a GPU names its cuBLAS, which cannot be loaded ({error}): install torch "
            f"with its CUDA libraries, as PyPI's wheels bring them"
        ) from error
    numbers = []
    for part in range(3):  # libraryPropertyType: MAJOR_VERSION, MINOR_VERSION, PATCH_LEVEL
        number = ctypes.c_int()
        library.cublasGetProperty(part, ctypes.byref(number))
        numbers.append(str(number.value))
    return ".".join(numbers)


@contextmanager
def exact_kernels() -> Iterator[None]:
    """Inside, cuDNN's and cuBLAS's kernels are deterministic, chosen without timing, without TF32.

    Sums of bfloat16 and float16 are kept in float32 to their end. What was set before is set again.
    """
    import torch

    matmul = torch.backends.cuda.matmul
    inexact = (
        "allow_tf32",
        "allow_bf16_reduced_precision_reduction",
        "allow_fp16_reduced_precision_reduction",
        "allow_fp16_accumulation",
    )
    before = {name: getattr(matmul, name) for name in inexact}
    try:
        for name in inexact:
            setattr(matmul, name, False)
        # `enabled` is False unless it is asked for: convolutions would then run picture by picture.
        with torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=False
        ):
            yield
    finally:
        for name, value in before.items():
            setattr(matmul, name, value)


@contextmanager
def repeatable_torch() -> Iterator[None]:
    """Inference whose bits depend on the input alone.

    One CPU thread, since sums are split by thread and so come out differently, and on a GPU
    `exact_kernels`. What was set before is set again.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode(), exact_kernels():
            yield
    finally:
        torch.set_num_threads(threads)
