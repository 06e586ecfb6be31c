"""The limit: the networks alone, their inputs resident on the card."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.gpu.step import (
    Setting,
    lite0,
    options_of,
    run,
    seconds,
    side_of,
    squares,
    text_options,
)


def measure(setting: Setting) -> dict[str, Any]:
    import torch

    from pipeline.core.machine.device import repeatable_torch
    from pipeline.encoders import transformer, vision

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
        options = options_of(setting, "vit", precision)
        size, network = options.batch_size, vision.Encoder(options)._run.network
        pixels = torch.from_numpy(squares(size, side_of(setting, "vit"))).to(setting.device)
        with repeatable_torch():
            found[f"vit {precision}"] = size / seconds(setting, times, network, pixels, None)
        for tokens in setting.sizes([16, 64, 256], [16]):
            options = text_options(setting, precision)
            size = transformer.batch(np.zeros(tokens), options)[1]
            network = transformer._network(transformer.locate(options), options).to(setting.device)
            # As FixedBatch calls it: one row is never used, and none is filled whole.
            ids = torch.ones((size + 1, tokens), dtype=torch.int64, device=setting.device)
            filled = torch.ones_like(ids, dtype=torch.bool)
            filled[-1, 1:] = False
            with repeatable_torch():
                spent = seconds(setting, times, network, ids, filled)
            found[f"bert {precision} {tokens} tokens"] = size / spent
    return found


if __name__ == "__main__":
    run(measure)
