"""The encoder of a text's bytes."""

from __future__ import annotations

import numpy as np

from pipeline.encoders.utf8 import Encoder, Options, decode_ids


def test_texts_are_read_back_and_cut_between_characters() -> None:
    texts = ["a duck", "日本", "", "naïve"]
    ids, lengths = Encoder(Options(bytes=8)).encode(texts)
    assert ids.shape == (4, 8, 1)
    assert ids.dtype == np.float32
    assert lengths.tolist() == [6, 6, 0, 6]
    assert decode_ids(ids[..., 0]) == texts
    assert decode_ids(Encoder(Options(bytes=5)).encode(texts)[0][..., 0]) == [
        "a duc",
        "日",
        "",
        "naïv",
    ]
