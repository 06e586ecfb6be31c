"""The limit: the networks alone, their inputs resident on the card."""

from __future__ import annotations

from typing import Any

from benchmarks.gpu.step import Setting, lite0, run, seconds, squares, text_options, texts


def measure(setting: Setting) -> dict[str, Any]:
    import torch

    from pipeline.core.machine.device import repeatable_torch
    from pipeline.encoders import transformer

    times = 3 if setting.quick else 20
    found: dict[str, Any] = {}
    for precision in setting.precisions:
        for size in setting.sizes([1, 16, 64, 256, 1024], [1, 4]):
            network = lite0(setting, precision, size)._run.network
            pixels = torch.from_numpy(squares(size)).to(setting.device)
            lengths = torch.full((size,), 224, device=setting.device)
            with repeatable_torch():
                spent = seconds(setting, times, network, pixels, lengths)
            found[f"lite0 {precision} {size}"] = size / spent
            if size == 256 and setting.on_card:
                with repeatable_torch(), torch.backends.cudnn.flags(enabled=False):
                    slow = seconds(setting, 5, network, pixels, lengths)
                found[f"lite0 {precision} {size}, without cuDNN"] = size / slow
        for tokens in setting.sizes([16, 64, 256], [16]):
            options = text_options(setting, precision, 256 if setting.quick else 32_768)
            encoder = transformer.Encoder(options)
            rows = transformer.prepare(texts(1, tokens), options)
            size = transformer.batch(rows[0], options)[1]
            rows = rows * size
            spent = seconds(setting, times, encoder.embed, rows)
            found[f"bert {precision} {tokens} tokens"] = size / spent
    return found


if __name__ == "__main__":
    run(measure)
