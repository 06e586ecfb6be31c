"""How far an encoder's backends and precisions are apart; docs/reproducibility.md has real data."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from pipeline.core.registry import load
from tests.encoders import examples

# Encoder, precision in torch; least cosine, and largest difference as a share of the largest value.
LIMITS = [
    ("efficientnet_lite0", "float32", 1 - 1e-6, 1e-5),
    ("efficientnet_lite0", "bfloat16", 0.99, 0.15),
    ("efficientnet_lite0", "float16", 0.9995, 0.015),
    ("minilm", "float32", 1 - 1e-6, 1e-5),
    ("minilm", "bfloat16", 0.999, 0.03),
    ("minilm", "float16", 1 - 1e-4, 0.005),
    ("transformer", "float32", 1 - 1e-6, 1e-5),
    ("transformer", "bfloat16", 0.999, 0.03),
    ("transformer", "float16", 1 - 1e-4, 0.005),
]


@cache
def vectors(encoder: str, **changes: Any) -> np.ndarray:
    module = load("encoders", encoder)
    given = examples.options(encoder).model_dump() | changes
    contents = [one for one in examples.contents(module.MODALITY) if np.size(one) != 3]
    made: np.ndarray = module.Encoder(module.Options(**given)).encode(contents)[0]
    return made


@pytest.mark.parametrize(("encoder", "precision", "cosine", "difference"), LIMITS)
def test_torch_is_near_onnxruntime(
    encoder: str, precision: str, cosine: float, difference: float
) -> None:
    ours = vectors(encoder)
    theirs = vectors(encoder, backend="torch", precision=precision)
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    assert ((ours * theirs).sum(1) / lengths).min() >= cosine
    assert 0 < np.abs(ours - theirs).max() <= difference * np.abs(ours).max()


def test_every_encoder_with_backends_is_here() -> None:
    from pipeline.core.registry import names

    chosen = {n for n in names("encoders") if "backend" in load("encoders", n).Options.model_fields}
    assert chosen == {encoder for encoder, *_ in LIMITS}
