"""The speaker encoder against the code of the package that its checkpoint comes from."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from pipeline.core.errors import PipelineError
from pipeline.encoders import speaker
from pipeline.modalities.audio.content import SAMPLING_RATE

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("resemblyzer") is None, reason="resemblyzer is not installed"
)
# One place, which the clip does not fill; two, of which the last falls away; several.
SECONDS = (0.1, 1.6, 2.37, 2.9, 5.01)


def clip(seconds: float) -> np.ndarray:
    """A voice-like buzz, its pitch rising, with noise."""
    time = np.arange(round(seconds * SAMPLING_RATE)) / SAMPLING_RATE
    buzz = sum(np.sin(2 * np.pi * k * (120 * time + 9 * time**2)) / k for k in range(1, 20))
    noise = np.random.default_rng(0).standard_normal(len(time))
    return (0.05 * buzz + 0.01 * noise).astype(np.float32)


@pytest.fixture(scope="module")
def theirs() -> object:
    """Their encoder; of what it imports, a detector of voice is not installed, nor is it used."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("webrtcvad", "scipy.ndimage.morphology"):
            module = ModuleType(name)
            module.binary_dilation = None  # type: ignore[attr-defined]
            patch.setitem(sys.modules, name, module)
        from resemblyzer.voice_encoder import VoiceEncoder

        return VoiceEncoder("cpu", verbose=False)


@pytest.mark.parametrize("seconds", SECONDS)
def test_it_is_theirs(theirs: object, seconds: float) -> None:
    samples = clip(seconds)
    (ours,), _ = speaker.Encoder(speaker.Options()).encode([samples])
    expected = theirs.embed_utterance(samples)  # type: ignore[attr-defined]
    assert np.abs(ours - expected).max() < 1e-5
    assert np.linalg.norm(ours) == pytest.approx(1, abs=1e-5)


def test_places_are_theirs(theirs: object) -> None:
    for samples in range(1, 8 * SAMPLING_RATE, 1607):
        _, slices = theirs.compute_partial_slices(samples, 1.3, 0.75)  # type: ignore[attr-defined]
        assert speaker.starts(samples) == [place.start for place in slices]


def test_a_checkpoint_that_is_cut_off_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = speaker.weights(speaker.Options())
    (tmp_path / path.name).write_bytes(path.read_bytes()[:5000])
    monkeypatch.setattr(speaker, "weights", lambda options: [tmp_path / path.name])
    with pytest.raises(PipelineError, match="no whole checkpoint"):
        speaker.Encoder(speaker.Options())
