from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pipeline.encoders.speech import Encoder, Options, batch, prepare, shape
from tests.encoders import examples, tiny_models

CLIPS = examples.contents("audio")


def options(kind: str, **changes: Any) -> Options:
    return Options(model=str(tiny_models.folder(kind)), **{"max_seconds": 4, **changes})


@pytest.mark.parametrize("kind", tiny_models.SPEECH)
def test_each_family_gives_a_vector_a_clip(kind: str) -> None:
    chosen = options(kind, batch_seconds=8)
    encoder = Encoder(chosen)
    vectors, lengths = encoder.encode(CLIPS)
    assert vectors.shape == (len(CLIPS), *shape(chosen))
    assert np.isfinite(vectors).all()
    assert (lengths == 1).all()
    again = np.concatenate([encoder.encode([clip])[0] for clip in prepare(CLIPS, chosen)])
    assert again.tobytes() == vectors.tobytes()


def test_the_mean_of_the_frames_that_a_clip_fills() -> None:
    from transformers import AutoModel

    clip = CLIPS[2]  # 23,456 samples, computed as 32,000
    chosen = options("hubert")
    (wave,) = prepare([clip], chosen)
    assert batch(wave, chosen)[0] == 32_000
    network = AutoModel.from_pretrained(tiny_models.folder("hubert")).eval()
    with torch.inference_mode():
        states = network(torch.from_numpy(wave.T)).last_hidden_state[0]
    (vector,) = Encoder(chosen).encode([clip])[0]
    np.testing.assert_allclose(vector, states.mean(0).numpy(), atol=2e-2)


def test_a_spectrogram_is_the_models_own() -> None:
    from transformers import AutoModel, WhisperFeatureExtractor

    folder = tiny_models.folder("whisper")
    features = WhisperFeatureExtractor.from_pretrained(folder)(
        CLIPS[1], sampling_rate=16_000, return_tensors="pt"
    )
    network = AutoModel.from_pretrained(folder).encoder.eval()
    with torch.inference_mode():
        expected = network(features.input_features).last_hidden_state[0].mean(0).numpy()
    (vector,) = Encoder(options("whisper")).encode([CLIPS[1]])[0]
    np.testing.assert_allclose(vector, expected, atol=1e-4)


def test_of_a_longer_clip_the_beginning_is_read() -> None:
    long, short = CLIPS[3], CLIPS[3][:16_000]
    vectors = Encoder(options("hubert", max_seconds=1)).encode([long, short])[0]
    np.testing.assert_array_equal(*vectors)


def test_the_card_has_a_default_of_its_own() -> None:
    assert options("ast").batch_size == 1
    assert options("ast", device="cuda").batch_size == 255
