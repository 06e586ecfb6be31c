from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.core.errors import PipelineError
from pipeline.core.machine.device import repeatable_torch, torch_device


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
