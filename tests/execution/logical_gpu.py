"""GPUs that Ray alone knows: a worker that holds a share of one computes on its CPU as if there."""

from __future__ import annotations

import functools

from pipeline.core.errors import PipelineError
from pipeline.core.machine import device

NAME = "sm_00 8 SMs CUDA 0.0 cuDNN 0 cuBLAS 0.0.0"


def install() -> None:
    """For Ray's `worker_process_setup_hook`."""
    device.torch_device = functools.partial(_torch_device, _holds_gpu)
    device.cuda_processor = _cuda_processor


def install_here(monkeypatch: object) -> None:
    """For this process, as if it held one."""
    setattr_ = monkeypatch.setattr  # type: ignore[attr-defined]
    setattr_(device, "torch_device", functools.partial(_torch_device, lambda: True))


def _holds_gpu() -> bool:
    import ray

    return bool(ray.get_runtime_context().get_accelerator_ids().get("GPU"))


def _torch_device(holds: object, name: str) -> object:
    import torch

    if name == "cuda" and not holds():  # type: ignore[operator]
        raise PipelineError("this worker holds no GPU")
    return torch.device("cpu")


def _cuda_processor(name: str) -> str:
    _torch_device(_holds_gpu, name)
    return NAME
