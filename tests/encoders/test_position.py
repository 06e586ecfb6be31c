"""The law of batches: no place, neighbour or filling of its batch changes a row's bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.core.registry import load, names
from tests.encoders import examples

ROWS = 8
# Of an encoder that torch runs: the options that make a batch of eight rows.
EIGHT: dict[str, dict[str, Any]] = {
    "efficientnet_lite0": {"backend": "torch", "batch_size": ROWS},
    "minilm": {"backend": "torch", "max_tokens": 16, "batch_tokens": 16 * ROWS},
    "transformer": {"backend": "torch", "max_tokens": 16, "batch_tokens": 16 * ROWS},
    "vision": {"batch_size": ROWS},
    "speech": {"batch_seconds": ROWS},
}


def test_every_encoder_of_torch_is_here() -> None:
    with_device = {
        name
        for name in names("encoders")
        if "device" in load("encoders", name).Options.model_fields
    }
    assert with_device == set(EIGHT)


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        *((name, "float32") for name in EIGHT),
        # A convolution in bfloat16 takes minutes on a processor held to AVX2.
        *((name, "bfloat16") for name in EIGHT if name != "efficientnet_lite0"),
    ],
)
def test_no_place_and_no_neighbour_changes_a_row(name: str, precision: str) -> None:
    module = load("encoders", name)
    given = examples.options(name).model_dump() | EIGHT[name] | {"precision": precision}
    options = module.Options(**given)
    encoder = module.Encoder(options)
    contents = module.prepare(examples.contents(module.MODALITY), options)
    row = contents[0]
    alone = encoder.encode([row])[0][0].tobytes()
    batch = getattr(module, "batch", None)
    room = batch(row, options)[1] if batch else options.batch_size
    same = [one for one in contents if batch is None or batch(one, options) == batch(row, options)]
    neighbours = [*same, np.zeros_like(row), np.full_like(row, row.max())]
    assert room > 1
    rng = np.random.default_rng(0)
    for place in range(room):
        filled = room if place % 2 else int(rng.integers(place + 1, room + 1))
        rows = [neighbours[i] for i in rng.integers(0, len(neighbours), filled)]
        rows[place] = row
        assert encoder.encode(rows)[0][place].tobytes() == alone, (place, filled)
