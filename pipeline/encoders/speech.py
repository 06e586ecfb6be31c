"""Any encoder of sound in the Hugging Face format: wav2vec2, HuBERT, Whisper's, AST, CLAP.

The first two read the wave, the others the spectrogram that their own feature extractor makes of
it on a CPU. The folder holds config.json, preprocessor_config.json and weights as safetensors; no
code from it is run. The licence of the weights is the model's own.

A wave is computed in a batch of one fixed shape, filled up with zeros to the least length, of one
second, two, four and so on, that its own length fits into: so a row depends on no neighbour.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from pipeline.core.errors import PipelineError
from pipeline.encoders import _pretrained, batch_places
from pipeline.encoders._pretrained import (
    CONFIG,
    WEIGHTS,
    OnCard,
    Pooling,
    Pretrained,
    States,
    read_config,
)
from pipeline.modalities.audio.content import SAMPLING_RATE, Content

if TYPE_CHECKING:
    import torch

MODALITY = "audio"
LICENCE = "the model's own"
COST_MS = 300.0
PREPROCESSOR = "preprocessor_config.json"
FILES = (CONFIG, PREPROCESSOR, WEIGHTS)
HOW = "save it with save_pretrained() of its model and of its feature extractor"
WAVE = "Wav2Vec2FeatureExtractor"
CARD_SECONDS = 256
# Extractors cannot tell the spectrum of less than a window.
LEAST_SAMPLES = SAMPLING_RATE // 10


class Options(OnCard, Pretrained, States):
    """Which network, what becomes of its states, and how much sound at once."""

    max_seconds: float = Field(10.0, ge=1, le=60, description="of a longer clip the beginning")
    pooling: Pooling = Field(
        "mean",
        description="mean of all frames, the first, of each number the largest, or the network's "
        "own vector, which AST and CLAP have",
    )
    batch_seconds: int = Field(
        1,
        ge=1,
        le=8192,
        description="sound computed together, clips of like length in a batch always as large; "
        f"{CARD_SECONDS} where the device is cuda and nothing is said",
    )

    @classmethod
    def card_defaults(cls) -> dict[str, int]:
        """A batch that fills the card."""
        return {"batch_seconds": CARD_SECONDS}

    @property
    def batch_size(self) -> int:
        """Most clips of a batch."""
        return _clips(self.lengths[0], self)

    @property
    def lengths(self) -> tuple[int, ...]:
        """Samples of each kind of batch."""
        return _pretrained.buckets(SAMPLING_RATE, round(self.max_seconds * SAMPLING_RATE))


def shape(options: Options) -> tuple[int, ...]:
    """One vector a clip, of the network's hidden size."""
    config = read_config(locate(options))
    config = config.get("audio_config", config)
    for name in ("d_model", "hidden_size"):
        if name in config:
            return (int(config[name]),)
    raise PipelineError(f"the config.json of model '{options.model}' states no hidden_size")


def parameters(options: Options) -> dict[str, Any]:
    """What of the options is keyed."""
    return _pretrained.parameters(options)


def weights(options: Options) -> list[Path]:
    """The files that the encoder reads: see `_pretrained.weights`."""
    return _pretrained.weights(options, FILES, HOW)


def locate(options: Options) -> Path:
    """The model's folder: see `_pretrained.locate`."""
    return _pretrained.locate(options, FILES)


def prepare(contents: Sequence[Content], options: Options) -> list[np.ndarray]:
    """Clips as the network is fed with them: float32, waves (samples, 1) or spectrograms."""
    folder = locate(options)
    most = options.lengths[-1]
    if _reads_waves(folder):
        normalises = bool(read_config(folder, PREPROCESSOR).get("do_normalize", True))
        return [_wave(content[:most], normalises) for content in contents]
    return [_spectrogram(folder, content[:most]) for content in contents]


def batch(content: np.ndarray, options: Options) -> tuple[int, int]:
    """Length in samples and clips of the batch that takes a prepared clip."""
    lengths = options.lengths
    samples = _pretrained.bucket(len(content), lengths) if _is_wave(content) else lengths[-1]
    return samples, _clips(samples, options)


class Encoder:
    """Clips, float32 (samples,), prepared or not, → float32 (n, hidden size)."""

    def __init__(self, options: Options) -> None:
        from pipeline.core.machine.device import torch_device

        folder = locate(options)
        self._options, self._width = options, shape(options)[0]
        self._device = torch_device(options.device)
        self._network = _network(folder, options, self._device)
        self._fixed = functools.cache(self._made)

    def encode(self, contents: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Vectors of shape (n, hidden size), and their lengths, all 1."""
        clips = [
            prepare([content], self._options)[0] if content.ndim == 1 else content
            for content in contents
        ]
        vectors = np.empty((len(clips), self._width), np.float32)
        for places in batch_places([batch(clip, self._options) for clip in clips]):
            first = clips[places[0]]
            samples, size = batch(first, self._options)
            row = (samples, 1) if _is_wave(first) else first.shape
            vectors[places] = self._fixed(size, row)([clips[place] for place in places])
        return vectors, _pretrained.ones(len(clips))

    def _made(self, size: int, row: tuple[int, ...]) -> Any:
        from pipeline.encoders._fixed_batch import FixedBatch

        rows = _pretrained.size(size)
        return FixedBatch(self._network, rows, row, np.float32, self._device)


def _is_wave(prepared: np.ndarray) -> bool:
    return prepared.ndim == 2 and prepared.shape[1] == 1


def _clips(samples: int, options: Options) -> int:
    return _pretrained.usable(options.batch_seconds * SAMPLING_RATE // samples)


def _reads_waves(folder: Path) -> bool:
    return bool(read_config(folder, PREPROCESSOR).get("feature_extractor_type") == WAVE)


def _wave(sound: Content, normalises: bool) -> np.ndarray:
    """One column; of mean 0 and deviation 1 where the network was trained on that."""
    if normalises:
        sound = (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)
    return sound.astype(np.float32)[:, None]


@functools.lru_cache(maxsize=1)
def _extractor(folder: Path) -> Any:
    from transformers import AutoFeatureExtractor

    extractors: Any = AutoFeatureExtractor
    return extractors.from_pretrained(folder, local_files_only=True)


def _spectrogram(folder: Path, sound: Content) -> np.ndarray:
    """What the model's own feature extractor makes of a clip, float32, of one shape for all."""
    extractor = _extractor(folder)
    rate = int(extractor.sampling_rate)
    if rate != SAMPLING_RATE:
        import soxr

        sound = soxr.resample(sound, SAMPLING_RATE, rate, quality="HQ")
    if len(sound) < LEAST_SAMPLES:
        sound = np.pad(sound, (0, LEAST_SAMPLES - len(sound)))
    # A longer clip would be cut at a place drawn by chance.
    sound = sound[: getattr(extractor, "nb_max_samples", None)]
    features = extractor(sound, sampling_rate=rate, return_tensors="np")
    name = "input_features" if "input_features" in features else "input_values"
    values: np.ndarray = np.asarray(features[name][0], np.float32)
    return values


def _network(folder: Path, options: Options, device: torch.device) -> Any:
    import torch

    how = read_config(folder, PREPROCESSOR)
    whole: Any = _pretrained.read_network(folder, options.precision)
    body = getattr(whole, "audio_model", getattr(whole, "encoder", whole))
    waves = _reads_waves(folder)
    body = (whole if waves or whole.config.model_type not in ("whisper", "clap") else body).to(
        device
    )
    dtype = getattr(torch, options.precision)
    name = how.get("model_input") or ("input_features" if hasattr(whole, "audio_model") else "")
    name = name or ("input_features" if whole.config.model_type == "whisper" else "input_values")

    def network(values: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        inputs: dict[str, Any] = {"output_hidden_states": options.layer is not None}
        filled = torch.arange(values.shape[1], device=values.device) < lengths[:, None]
        if waves:
            values = values[..., 0]
            if how.get("return_attention_mask"):
                inputs["attention_mask"] = filled.long()
        output = body(**{name: values.to(dtype)}, **inputs)
        frames = None
        if waves:
            # A clip shorter than a frame fills the first.
            frames = body._get_feat_extract_output_lengths(lengths).clamp(min=1)
        return _pretrained.to_vectors(output, options, frames)

    return network
