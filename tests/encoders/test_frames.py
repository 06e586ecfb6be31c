from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.core.errors import PipelineError
from pipeline.encoders import frames
from pipeline.encoders.colour_hog import Encoder as ColourHog
from pipeline.encoders.colour_hog import Options as ColourHogOptions
from pipeline.modalities.video.augment import apply
from pipeline.modalities.video.content import Clip, to_jpeg
from pipeline.modalities.video.examples import moving


@pytest.fixture(scope="module")
def clip() -> Clip:
    pictures = tuple(map(to_jpeg, moving(6)))
    return Clip(pictures, (0, 40, 300, 310, 900, 1500), 2000)


@pytest.fixture(scope="module")
def alone(clip: Clip) -> np.ndarray:
    """What the encoder of pictures makes of each."""
    return ColourHog(ColourHogOptions()).encode(list(clip.images()))[0]


def encode(clip: Clip, **options: Any) -> tuple[np.ndarray, int]:
    chosen = frames.Options(**{"pictures": {"encoder": "colour_hog"}, **options})
    values, lengths = frames.Encoder(chosen).encode([clip])
    assert values.shape == (1, *frames.shape(chosen))
    return values[0], int(lengths[0])


def test_pictures_are_pooled(clip: Clip, alone: np.ndarray) -> None:
    values, length = encode(clip)
    np.testing.assert_allclose(values, alone.mean(0), rtol=1e-6)
    assert length == 1
    np.testing.assert_array_equal(encode(clip, pooling="max")[0], alone.max(0))


def test_a_sequence_has_each_picture_and_its_time(clip: Clip, alone: np.ndarray) -> None:
    values, length = encode(clip, pooling="sequence", frames=8, times=True)
    assert length == 6
    np.testing.assert_array_equal(values[:6, :-1], alone)
    np.testing.assert_allclose(values[:6, -1], np.array(clip.times) / 1000)
    assert not values[6:].any()


def test_of_many_pictures_some_are_taken_evenly(clip: Clip, alone: np.ndarray) -> None:
    values, length = encode(clip, pooling="sequence", frames=3)
    assert length == 3
    np.testing.assert_array_equal(values, alone[[1, 3, 5]])


def test_views_are_encoded_as_they_look(clip: Clip) -> None:
    view = apply(clip, [{"op": "crop", "left": 0.1, "top": 0, "width": 0.8, "height": 1}])
    expected = ColourHog(ColourHogOptions()).encode(list(view.images()))[0]
    np.testing.assert_allclose(encode(view)[0], expected.mean(0), rtol=1e-6)
    assert not np.array_equal(encode(view)[0], encode(clip)[0])


def test_what_it_calls_is_keyed() -> None:
    """The weights, the code and the options of the encoder of pictures, but not a model's path."""
    options = frames.Options()
    assert frames.shape(options) == (1280,)
    assert frames.weights(options)
    assert frames.modules(options) == ["pipeline.encoders.efficientnet_lite0"]
    here = str(Path(__file__).parent)
    of_folder = frames.Options(pictures={"encoder": "vision", "model": here, "pooling": "cls"})
    assert frames.parameters(of_folder)["pictures"]["pooling"] == "cls"
    assert here not in str(frames.parameters(of_folder))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pictures": {"encoder": "nonesuch"}}, "nonesuch"),
        ({"pictures": {"encoder": "mfcc"}}, "encodes audio: pictures need one of image"),
        ({"times": True}, "pooling: sequence"),
        ({"pictures": {"encoder": "colour_hog", "side": 3}}, "side"),
    ],
)
def test_what_cannot_be_is_said(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        frames.Options(**options)


def test_pictures_need_vectors() -> None:
    with pytest.raises(PipelineError, match="'pixels' makes a sequence"):
        frames.shape(frames.Options(pictures={"encoder": "pixels"}))
