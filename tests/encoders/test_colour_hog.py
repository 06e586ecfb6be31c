from __future__ import annotations

import numpy as np
import pytest

from pipeline.encoders.colour_hog import BINS, COLOURS, Encoder, Options, colours
from tests.modalities.image.pictures import scene


def parts(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    vector = Encoder(Options()).encode([picture])[0][0]
    return vector[:COLOURS], vector[COLOURS:]


def test_colours_are_shares_of_the_pixels() -> None:
    picture = np.zeros((10, 10, 3), np.uint8)
    picture[:, :9] = (255, 0, 0)
    bins = colours(picture).reshape(BINS) ** 2
    assert bins[0, 3, 3] == pytest.approx(0.9)
    assert bins[0, 0, 0] == pytest.approx(0.1)


def test_both_halves_have_length_one() -> None:
    for half in parts(scene()):
        assert np.linalg.norm(half) == pytest.approx(1, abs=1e-5)


def test_a_plain_picture_has_no_edges() -> None:
    colour, edges = parts(np.full((64, 64, 3), 70, np.uint8))
    assert np.linalg.norm(colour) == pytest.approx(1)
    assert not edges.any()


def test_each_half_sees_what_the_other_does_not() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::8] = stripes[:, 1::8] = (200, 40, 40)
    turned = np.ascontiguousarray(stripes.transpose(1, 0, 2))
    recoloured = stripes[:, :, ::-1]
    (colour, edges), (colour_turned, edges_turned) = parts(stripes), parts(turned)
    colour_changed, edges_changed = parts(recoloured)
    assert colour @ colour_turned == pytest.approx(1)
    assert edges @ edges_turned < 0.5
    assert edges @ edges_changed > 0.99
    assert colour @ colour_changed < 0.9
