"""Where torch computes: the one place that chooses a device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.core.errors import PipelineError, unknown

if TYPE_CHECKING:
    import torch

DEVICES = ("cpu", "cuda")


def torch_device(name: str) -> torch.device:
    """The device that params.yaml names; it is keyed, so nothing stands in for a missing one.

    Raises
    ------
    PipelineError
        No such kind of device, or this machine has none.
    """
    import torch

    if name not in DEVICES:
        raise PipelineError(unknown("device", name, DEVICES))
    if name == "cuda" and not torch.cuda.is_available():
        raise PipelineError(
            "params.yaml asks for `device: cuda`, but torch finds no CUDA device on this machine; "
            "write `device: cpu`, or run where there is a GPU"
        )
    return torch.device(name)


def cuda_processor(name: str) -> str:
    """What a GPU is in a key: `sm_90 CUDA 12.8`.

    Raises
    ------
    PipelineError
        This machine has no such device.
    """
    import torch

    major, minor = torch.cuda.get_device_capability(torch_device(name))
    return f"sm_{major}{minor} CUDA {torch.version.cuda}"


@contextmanager
def repeatable_torch() -> Iterator[None]:
    """Inference whose bits depend on the input alone.

    One CPU thread, since sums are split by thread and so come out differently; on a GPU no kernel
    chosen by timing, none that adds in any order, and no TF32. What was set before is set again.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(benchmark=False, deterministic=True, allow_tf32=False),
        ):
            yield
    finally:
        torch.set_num_threads(threads)
