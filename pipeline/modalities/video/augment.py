"""Changed views of a film: one recipe of pictures for all of its pictures, and changes of its time.

Pictures change as those of the modality image do, each by the same operations, so that what moves
in a view moves in the film. Stretches of time are shares of the film, so that a recipe can be drawn
without it. What no longer lies in the view is gone, and time begins anew at 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from pydantic import Field

from pipeline.modalities.image import augment as image
from pipeline.modalities.video.content import Clip, Operation


def _probability(value: float) -> Any:
    return Field(value, ge=0, le=1, description="probability of the operation in a view")


class Options(image.Options):
    """How many views, and how far they may stray. An operation of probability 0 never occurs."""

    views: int = Field(2, ge=0, le=100, description="augmented views of each film")
    trim: float = _probability(0.5)
    trim_min: float = Field(0.6, gt=0, le=1, description="shortest stretch kept, share of the film")
    speed: float = _probability(0.3)
    speed_most: float = Field(
        1.25, ge=1, le=4, description="largest change of tempo, as a factor, either way"
    )
    drop: float = _probability(0.3)
    drop_most: float = Field(0.3, ge=0, lt=1, description="largest share of pictures left out")
    # Off, because what opens then closes: many an action does not survive it.
    reverse: float = _probability(0.0)


def draw(rng: np.random.Generator, options: Options) -> list[Operation]:
    """The recipe of one view: operations in order, each a dict of plain numbers and strings.

    Every operation is drawn, used or not, so that one's probability does not move the others.
    """
    width = _between(rng, options.trim_min, 1)
    slowest = 1 / options.speed_most
    operations: list[tuple[float, Operation]] = [
        (options.trim, {"op": "trim", "start": _between(rng, 0, 1 - width), "width": width}),
        (options.speed, {"op": "speed", "factor": _between(rng, slowest, options.speed_most)}),
        (
            options.drop,
            {
                "op": "drop",
                "share": _between(rng, 0, options.drop_most),
                "seed": int(rng.integers(2**32)),
            },
        ),
        (options.reverse, {"op": "reverse"}),
    ]
    drawn = [operation for probability, operation in operations if rng.random() < probability]
    return drawn + image.draw(rng, options)


def apply(content: Clip, recipe: Sequence[Operation]) -> Clip:
    """The view that a recipe makes of a film.

    Operations of pictures are kept with it and applied when a picture is asked for, which raises
    PipelineError for one that there is not.
    """
    for operation in recipe:
        arguments = {name: value for name, value in operation.items() if name != "op"}
        change = _OPERATIONS.get(operation["op"])
        if change is not None:
            content = change(content, **arguments)
        else:
            content = replace(content, operations=(*content.operations, operation))
    return content


def trim(clip: Clip, start: float, width: float) -> Clip:
    """A stretch of the film; what is shown at its start stands at 0."""
    begin = round(start * clip.duration)
    duration = max(1, min(round(width * clip.duration), clip.duration - begin))
    places = [
        place
        for place, end in enumerate((*clip.times[1:], clip.duration))
        if clip.times[place] < begin + duration and end > begin
    ] or [0]
    times = [max(0, clip.times[place] - begin) for place in places]
    return _kept(clip, places, times, duration)


def speed(clip: Clip, factor: float) -> Clip:
    """Faster (above 1) or slower: all times divided by the factor."""
    times = [round(time / factor) for time in clip.times]
    return _kept(clip, range(len(clip)), times, max(1, round(clip.duration / factor)))


def drop(clip: Clip, share: float, seed: int) -> Clip:
    """About that share of the pictures left out, never all: the ones before are shown longer."""
    rng = np.random.Generator(np.random.PCG64(seed))
    places = np.flatnonzero(rng.random(len(clip)) >= share).tolist() or [0]
    return _kept(clip, places, [clip.times[place] for place in places], clip.duration)


def reverse(clip: Clip) -> Clip:
    """Backwards: each picture as long as before."""
    ends = (*clip.times[1:], clip.duration)
    times = [max(0, clip.duration - end) for end in reversed(ends)]
    return _kept(clip, range(len(clip) - 1, -1, -1), times, clip.duration)


def _kept(clip: Clip, places: Sequence[int], times: Sequence[int], duration: int) -> Clip:
    """The pictures at `places` at other times; of several at one time the last is shown."""
    seen = [place for place, (time, later) in enumerate(pairwise([*times, -1])) if time != later]
    return replace(
        clip,
        pictures=tuple(clip.pictures[places[place]] for place in seen),
        times=tuple(times[place] for place in seen),
        duration=duration,
    )


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """Uniform between the limits, to four places: a recipe is read by people too."""
    return round(float(rng.uniform(low, high)), 4)


_OPERATIONS: dict[str, Callable[..., Clip]] = {
    function.__name__: function for function in (trim, speed, drop, reverse)
}
