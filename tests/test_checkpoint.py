from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline import checkpoint
from pipeline.encoders import efficientnet_lite0


def test_it_reads_what_torch_reads() -> None:
    (path,) = efficientnet_lite0.weights(efficientnet_lite0.Options())
    expected = torch.load(path, map_location="cpu", weights_only=True)
    found = checkpoint.load(path)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.numpy().dtype
        np.testing.assert_array_equal(found[name], tensor.numpy())


def test_views_and_strides_are_kept(tmp_path: Path) -> None:
    whole = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    state = {"turned": whole.T, "cut": whole[1:3, 2:], "count": torch.tensor(7)}
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    found = checkpoint.load(tmp_path / "old.pth")
    for name, tensor in state.items():
        np.testing.assert_array_equal(found[name], tensor.numpy())


def test_what_is_no_tensor_is_not_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "bad.pth"
    torch.save({"a": Path("x")}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(pickle.UnpicklingError, match="holds no pathlib"):
        checkpoint.load(path)
