"""How far a card's numbers are from a CPU's, and that cuDNN computes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.gpu.step import Setting, bert, lite0, run, squares, text_options, texts


def measure(setting: Setting) -> dict[str, Any]:
    import torch

    from pipeline.core.machine.device import repeatable_torch
    from pipeline.encoders import efficientnet_lite0, transformer

    with repeatable_torch():
        enabled = torch.backends.cudnn.enabled
    count = 4 if setting.quick else 64
    pictures, sentences = list(squares(count)), texts(count, 24)
    plain = efficientnet_lite0.Encoder(efficientnet_lite0.Options()).encode(pictures)[0]
    told = transformer.Encoder(transformer.Options(model=str(bert(setting)))).encode(sentences)[0]
    found: dict[str, Any] = {"cudnn.enabled": enabled}
    precisions = [*setting.precisions, *(["float16"] if setting.on_card else [])]
    for precision in precisions:
        near = lite0(setting, precision, count).encode(pictures)[0]
        found[f"lite0 {precision}"] = _distance(plain, near)
        encoder = transformer.Encoder(text_options(setting, precision, 1024))
        found[f"bert {precision}"] = _distance(told, encoder.encode(sentences)[0])
    return found


def _distance(one: np.ndarray, other: np.ndarray) -> dict[str, float]:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return {
        "1 - cosine": float(1 - ((one * other).sum(1) / lengths).min()),
        "largest difference": float(np.abs(one - other).max() / np.abs(one).max()),
    }


if __name__ == "__main__":
    run(measure)
