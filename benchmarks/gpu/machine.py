"""The card: its name and libraries, and what it copies and multiplies in a second."""

from __future__ import annotations

import os
from typing import Any

from benchmarks.gpu.step import Setting, run, seconds


def measure(setting: Setting) -> dict[str, Any]:
    import torch

    from pipeline.core.machine.processor import processor

    side, words = (256, 2**18) if setting.quick else (8192, 2**30)
    dtype = torch.float32 if setting.device == "cpu" else torch.bfloat16
    matrix = torch.ones((side, side), dtype=dtype, device=setting.device)
    memory = torch.ones(words, dtype=torch.float32, device=setting.device)
    other = torch.empty_like(memory)
    multiplied = seconds(setting, 10, torch.matmul, matrix, matrix)
    copied = seconds(setting, 10, other.copy_, memory)
    on_card = setting.on_card
    return {
        "card": torch.cuda.get_device_name() if on_card else "none",
        "key": processor(setting.device),
        "torch": torch.__version__,
        "cpus": len(os.sched_getaffinity(0)),
        "TFLOP/s": 2 * side**3 / multiplied / 1e12,
        "copy TB/s": 8 * words / copied / 1e12,
    }


if __name__ == "__main__":
    run(measure)
