"""Whose voice it is: 256 numbers a clip, from a recurrent network trained to tell speakers apart.

L. Wan et al., "Generalized End-to-End Loss for Speaker Verification" (ICASSP 2018), as Resemblyzer
0.1.4 (Apache-2.0) trained it; its checkpoint is read from the package, of which no code is run. At
16 kHz, windows of 400 samples (periodic Hann) every 160, 40 of Slaney's mel filters from 0 to
8 kHz, powers as they are, without a logarithm. Three LSTM layers of 256 see 160 frames (1.6 s) at a
time, beginning anew every 77 (1.3 times a second), the last one only if the clip fills three
quarters of it. The last state, through a linear layer and ReLU, is scaled to length 1, and so is
the mean over the places.

The package also amplifies what is below -30 dBFS and cuts silences out within the clip by WebRTC's
voice detector. Cleaning has brought clips to its own level and cut their ends; pauses within stay.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import PipelineError
from pipeline.core.options import Options as Base
from pipeline.modalities.audio.content import SAMPLING_RATE, Content
from pipeline.modalities.audio.mel import filters
from pipeline.modalities.audio.spectrum import Real, power, stft

MODALITY = "audio"
LICENCE = "Apache-2.0"
COST_MS = 25.0
WINDOW, HOP, BANDS = 400, 160, 40
# Frames that the network sees at once, and from one place to the next.
FRAMES, STEP = 160, 77
# Share of the last place that the clip must fill.
COVERAGE = 0.75
WIDTH, LAYERS = 256, 3
# What a damaged checkpoint may raise.
DAMAGE = (UnpicklingError, EOFError, LookupError, RuntimeError, TypeError, ValueError)


class Options(Base):
    """The network leaves nothing to choose."""


def shape(options: Options) -> tuple[int, ...]:
    """(256,)"""
    return (WIDTH,)


def weights(options: Options) -> list[Path]:
    """The checkpoint inside its package; PipelineError if the package is not installed."""
    spec = importlib.util.find_spec("resemblyzer")
    if spec is None or spec.origin is None:
        raise PipelineError(
            "the encoder speaker needs its weights: pip install --no-deps resemblyzer==0.1.4"
        )
    return [Path(spec.origin).with_name("pretrained.pt")]


class Encoder:
    """Clips, float32 (samples,), to vectors of length 1, one clip at a time."""

    def __init__(self, options: Options) -> None:
        import torch
        from torch import nn

        from pipeline.core.machine.device import torch_device

        torch_device("cpu")
        self._network = nn.ModuleDict(
            {
                "lstm": nn.LSTM(BANDS, WIDTH, LAYERS, batch_first=True),
                "linear": nn.Linear(WIDTH, WIDTH),
            }
        ).eval()
        (path,) = weights(options)
        known = self._network.state_dict()
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
            self._network.load_state_dict({name: state[name] for name in known})
        except DAMAGE as error:
            raise PipelineError(
                f"{path} is no whole checkpoint of the encoder speaker ({type(error).__name__}): "
                f"install the package that it comes from again"
            ) from None

    def encode(
        self, contents: Sequence[Content]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
        """Vectors, float32 (n, 256), and lengths, int32 (n,), all 1."""
        vectors = np.empty((len(contents), WIDTH), np.float32)
        for row, samples in zip(vectors, contents, strict=True):
            row[:] = self._embed(excerpts(samples))
        return vectors, np.ones(len(contents), np.int32)

    def _embed(self, frames: Real) -> Real:
        """The vector, (256,), of a clip's excerpts, (places, FRAMES, BANDS)."""
        import torch

        with torch.inference_mode():
            _, (state, _) = self._network["lstm"](torch.from_numpy(frames))
            raw = self._network["linear"](state[-1]).relu()
            mean = (raw / raw.norm(dim=1, keepdim=True)).mean(0)
            vector: Real = (mean / mean.norm()).numpy()
        return vector


def starts(samples: int) -> list[int]:
    """The first frame of each excerpt of a clip of so many samples; one at least."""
    frames = math.ceil((samples + 1) / HOP)
    places = list(range(0, max(1, frames - FRAMES + STEP + 1), STEP))
    covered = (samples - places[-1] * HOP) / (FRAMES * HOP)
    return places[:-1] if covered < COVERAGE and len(places) > 1 else places


def excerpts(samples: Content) -> Real:
    """Mel powers of a clip where the network looks: float32 (places, FRAMES, BANDS).

    What the last place lacks is silence.
    """
    places = starts(len(samples))
    padded = np.zeros(max(len(samples), (places[-1] + FRAMES) * HOP), np.float32)
    padded[: len(samples)] = samples
    energies = power(stft(padded, WINDOW, HOP)) @ filters(SAMPLING_RATE, WINDOW, BANDS)
    return np.stack([energies[start : start + FRAMES] for start in places])
