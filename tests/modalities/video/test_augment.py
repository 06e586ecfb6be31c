from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.randomness import generator
from pipeline.modalities.image import augment as image
from pipeline.modalities.video.augment import Options, apply, draw
from pipeline.modalities.video.content import Clip, to_jpeg
from pipeline.modalities.video.examples import moving
from tests.modalities.video.films import numbered, numbers


@pytest.fixture
def clip() -> Clip:
    return Clip(tuple(map(to_jpeg, numbered(5))), (0, 100, 400, 500, 900), 1000)


def test_one_recipe_of_pictures_for_all(clip: Clip) -> None:
    pictures = moving(5)
    film = Clip(tuple(map(to_jpeg, pictures)), clip.times, clip.duration)
    recipe = image.draw(generator(1, "view"), image.Options(crop=1, colour=1, rotate=1))
    for seen, source in zip(apply(film, recipe).images(), film.images(), strict=True):
        np.testing.assert_array_equal(seen, image.apply(source, recipe))


def test_a_stretch_of_time(clip: Clip) -> None:
    view = apply(clip, [{"op": "trim", "start": 0.2, "width": 0.4}])
    assert view.duration == 400
    # From 200 to 600 ms: what was shown at 200 is shown at 0.
    assert numbers(view) == [1, 2, 3]
    assert view.times == (0, 200, 300)


def test_a_stretch_without_a_new_picture(clip: Clip) -> None:
    view = apply(clip, [{"op": "trim", "start": 0.6, "width": 0.1}])
    assert (numbers(view), view.times, view.duration) == ([3], (0,), 100)


def test_tempo(clip: Clip) -> None:
    view = apply(clip, [{"op": "speed", "factor": 2.0}])
    assert view.times == (0, 50, 200, 250, 450)
    assert view.duration == 500
    # At a thousand times the tempo all fall on one moment, and the last is seen.
    assert numbers(apply(clip, [{"op": "speed", "factor": 2000.0}])) == [4]


def test_pictures_are_left_out(clip: Clip) -> None:
    view = apply(clip, [{"op": "drop", "share": 0.5, "seed": 4}])
    assert 1 <= len(view) < 5
    assert view.duration == 1000
    assert [clip.times[number] for number in numbers(view)] == list(view.times)
    assert len(apply(clip, [{"op": "drop", "share": 0.999, "seed": 4}])) == 1


def test_backwards(clip: Clip) -> None:
    view = apply(clip, [{"op": "reverse"}])
    assert numbers(view) == [4, 3, 2, 1, 0]
    # Each as long as before: 100, 400, 100, 300 and 100 ms.
    assert view.times == (0, 100, 500, 600, 900)
    assert apply(view, [{"op": "reverse"}]) == clip


def test_reverse_is_drawn_where_allowed_alone() -> None:
    def operations(options: Options) -> set[str]:
        return {step["op"] for view in range(40) for step in draw(generator(view), options)}

    assert "reverse" not in operations(Options())
    assert {"reverse", "trim", "speed", "drop", "crop"} <= operations(Options(reverse=0.5))
    nothing = dict.fromkeys(
        ("trim", "speed", "drop", "crop", "rotate", "scale", "colour", "erase"), 0.0
    )
    assert operations(Options(**nothing)) == set()


def test_an_operation_that_there_is_not(clip: Clip) -> None:
    with pytest.raises(PipelineError, match="nonesuch"):
        list(apply(clip, [{"op": "nonesuch"}]).images())
