from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.core.errors import PipelineError
from pipeline.encoders import _checkpoint, efficientnet_lite0


def test_it_reads_what_torch_reads() -> None:
    (path,) = efficientnet_lite0.weights(efficientnet_lite0.Options())
    expected = torch.load(path, map_location="cpu", weights_only=True)
    found = _checkpoint.load(path)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.numpy().dtype
        np.testing.assert_array_equal(found[name], tensor.numpy())


def test_views_and_strides_are_kept(tmp_path: Path) -> None:
    whole = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    state = {"turned": whole.T, "cut": whole[1:3, 2:], "count": torch.tensor(7)}
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    found = _checkpoint.load(tmp_path / "old.pth")
    for name, tensor in state.items():
        np.testing.assert_array_equal(found[name], tensor.numpy())


def test_what_is_no_tensor_is_not_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "bad.pth"
    torch.save({"a": Path("x")}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(PipelineError, match="holds no pathlib"):
        _checkpoint.load(path)


def checkpoint_of(tensor: torch.Tensor, path: Path) -> bytes:
    torch.save({"a": tensor}, path, _use_new_zipfile_serialization=False)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b"K\x00K\x07\x85", b"K\x01K\x07\x85"),  # offset
        (b"K\x00K\x07\x85", b"K\x00K\x08\x85"),  # size
        (b"K\x01\x85", b"K\x09\x85"),  # stride
        (b"K\x01\x85", b"J\xff\xff\xff\xff\x85"),  # a stride of -1
        (b"K\x00K\x07\x85", b"J\xff\xff\xff\xffK\x07\x85"),  # an offset of -1
        (struct.pack("<q", 7), struct.pack("<q", 6)),  # fewer values
        (struct.pack("<q", 7), struct.pack("<q", 2**62)),
    ],
)
def test_a_tensor_never_reaches_beyond_its_storage(
    was: bytes, becomes: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "crafted.pth"
    data = checkpoint_of(torch.arange(7, dtype=torch.float32), path)
    assert was in data
    path.write_bytes(data.replace(was, becomes))
    with pytest.raises(PipelineError, match="no whole checkpoint"):
        _checkpoint.load(path)


@pytest.mark.parametrize(
    "claim",
    [b"\x80\x02Nr\xff\xff\xff\x07.", b"\x80\x05\x96" + struct.pack("<q", 1 << 32) + b"."],
)
def test_a_claim_of_a_few_bytes_takes_no_gigabytes(claim: bytes, tmp_path: Path) -> None:
    path = tmp_path / "crafted.pth"
    path.write_bytes(claim)
    tracemalloc.start()
    with pytest.raises(PipelineError, match="no whole checkpoint"):
        _checkpoint.load(path)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_a_checkpoint_cut_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.pth"
    data = checkpoint_of(torch.arange(7, dtype=torch.float32), path)
    for kept in range(len(data)):
        path.write_bytes(data[:kept])
        with pytest.raises(PipelineError, match="no whole checkpoint"):
            _checkpoint.load(path)
