from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_file
from pipeline.encoders.vision import Encoder, Options, parameters, prepare, shape, weights
from tests.encoders import examples, tiny_models

PICTURES = examples.contents("image")


def options(kind: str, **changes: Any) -> Options:
    return Options(model=str(tiny_models.folder(kind)), **changes)


def by_the_library(kind: str, picture: np.ndarray) -> Any:
    """What the network says of one square, by the library alone."""
    from transformers import AutoModel

    mean, deviation = (np.array(tiny_models.PICTURES[n]) for n in ("image_mean", "image_std"))
    values = ((picture / 255 - mean) / deviation).astype(np.float32)
    network = AutoModel.from_pretrained(tiny_models.folder(kind)).eval()
    network = getattr(network, "vision_model", network)
    with torch.inference_mode():
        return network(
            pixel_values=torch.from_numpy(values).permute(2, 0, 1)[None], output_hidden_states=True
        )


@pytest.mark.parametrize("kind", tiny_models.VISION)
def test_the_networks_own_vector(kind: str) -> None:
    chosen = options(kind, batch_size=4)
    vectors, lengths = Encoder(chosen).encode(PICTURES)
    assert vectors.shape == (len(PICTURES), *shape(chosen))
    assert (lengths == 1).all()
    for vector, square in zip(vectors, prepare(PICTURES, chosen), strict=True):
        expected = by_the_library(kind, square).pooler_output.flatten().numpy()
        np.testing.assert_allclose(vector, expected, atol=1e-4)


@pytest.mark.parametrize("kind", ["vit", "resnet"])
def test_another_layer_pooled_and_scaled(kind: str) -> None:
    chosen = options(kind, layer=1, pooling="mean", normalise=True)
    vectors = Encoder(chosen).encode(PICTURES)[0]
    assert vectors.shape[1:] == shape(chosen)
    for vector, square in zip(vectors, prepare(PICTURES, chosen), strict=True):
        states = by_the_library(kind, square).hidden_states[1][0]
        mean = (states.flatten(1).mean(1) if states.ndim == 3 else states.mean(0)).numpy()
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-5)


def test_a_lower_precision_is_near() -> None:
    exact, rough = (
        Encoder(options("vit", precision=one)).encode(PICTURES)[0]
        for one in ("float32", "bfloat16")
    )
    assert 0 < np.abs(exact - rough).max() < 0.05 * np.abs(exact).max()


def test_the_card_has_a_default_of_its_own() -> None:
    assert options("vit").batch_size == 1
    assert options("vit", device="cuda").batch_size == 256
    assert options("vit", device="cuda", batch_size=8).batch_size == 8


def test_weights_may_be_pinned() -> None:
    pinned = digest_file(tiny_models.folder("vit") / "model.safetensors")
    assert [path.name for path in weights(options("vit", sha256=pinned))] == [
        "config.json",
        "preprocessor_config.json",
        "model.safetensors",
    ]
    assert parameters(options("vit", sha256=pinned)) == parameters(options("vit"))
    with pytest.raises(PipelineError, match="`sha256` asks for 0000"):
        weights(options("vit", sha256="0" * 64))


def test_the_cache_is_asked_before_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def snapshot(model: str, *, local_files_only: bool, **how: Any) -> str:
        asked.append(local_files_only)
        if local_files_only and model == "far/away":
            raise FileNotFoundError("not in the cache")
        return str(tiny_models.folder("vit"))

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    assert shape(Options(model="near/by")) == (16,)
    assert asked == [True]
    assert shape(Options(model="far/away")) == (16,)
    assert asked == [True, True, False]


def test_a_processor_without_a_size_is_named(tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text("{}")
    with pytest.raises(PipelineError, match="states no size"):
        prepare(PICTURES, Options(model=str(tmp_path)))
