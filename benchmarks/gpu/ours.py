"""How much of the card arrives: the encoders, and whole extract stages by every executor."""

from __future__ import annotations

import importlib.util
from typing import Any

from benchmarks.gpu import stage
from benchmarks.gpu.step import (
    Setting,
    options_of,
    ray_with_a_gpu,
    run,
    seconds,
    side_of,
    squares,
    text_options,
    texts,
)

# Rows of a stage.
ROWS = {"lite0": 40_000, "vit": 20_000, "bert": 100_000}
REHEARSED = 12


def measure(setting: Setting) -> dict[str, Any]:
    return _encoders(setting) | _stages(setting)


def _encoders(setting: Setting) -> dict[str, Any]:
    """Rows a second of `encode`, beside which `bare` has the networks alone."""
    from pipeline.encoders import efficientnet_lite0, transformer, vision

    times = 2 if setting.quick else 20
    rates: dict[str, Any] = {}
    for precision in setting.precisions:
        for name, module in (("lite0", efficientnet_lite0), ("vit", vision)):
            options = options_of(setting, name, precision)
            pictures = list(squares(options.batch_size, side_of(setting, name)))
            spent = seconds(setting, times, module.Encoder(options).encode, pictures)
            rates[f"encode, {name} {precision}"] = len(pictures) / spent
        for tokens in setting.sizes([16, 64, 256], [16]):
            options = text_options(setting, precision)
            rows = transformer.prepare(texts(1, tokens), options)
            rows = rows * transformer.batch(rows[0], options)[1]
            spent = seconds(setting, times, transformer.Encoder(options).encode, rows)
            rates[f"encode, bert {precision} {tokens} tokens"] = len(rows) / spent
        options = text_options(setting, precision, stage.TOKENS)
        rows = transformer.prepare(texts(1, stage.TOKENS), options)
        spent = seconds(setting, times, transformer.Encoder(options).encode, rows)
        rates[f"one text at a time, {precision}"] = 1 / spent
    return rates


def _stages(setting: Setting) -> dict[str, Any]:
    from pipeline.parts.serial import Serial

    told: dict[str, Any] = {}
    rows = {
        kind: stage.rows_of(setting, kind, REHEARSED if setting.quick else count)
        for kind, count in ROWS.items()
    }
    for kind, some in rows.items():
        told[f"feed, {kind}"] = stage.feed(setting, kind, some[:1024])
    told["extract, lite0, serial"] = stage.extract(setting, "lite0", Serial(), rows["lite0"][:4096])
    if importlib.util.find_spec("ray") is None:
        return told | {"left out": "stages by Ray, which is not installed"}
    from pipeline.execution.ray import RayExecutor

    with ray_with_a_gpu(setting):
        for kind, some in rows.items():
            name = f"extract, {kind}, a whole card"
            told[name] = stage.extract(setting, kind, RayExecutor(None, 1.0), some)
        halves = stage.extract(setting, "lite0", RayExecutor(None, 0.5), rows["lite0"])
        told["extract, lite0, two halves"] = halves
    return told


if __name__ == "__main__":
    run(measure)
