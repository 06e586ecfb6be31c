"""A film by any encoder of pictures: each of its pictures encoded, then pooled or kept in order.

`sequence` gives towers over time what they attend to, with each picture's time as its last number
if `times` says so; `mean` and `max` give any tower a vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from pipeline.core.spans import evenly
from pipeline.encoders import _parts
from pipeline.encoders._parts import OfParts, vectors, width

if TYPE_CHECKING:
    from pipeline.modalities.video.content import Clip

MODALITY = "video"
COST_MS = 200.0
LICENCE = "that of the encoder of pictures"
weights, parameters, modules = _parts.weights, _parts.parameters, _parts.modules


class Options(OfParts):
    """Which encoder, of how many pictures, and what becomes of them."""

    PARTS: ClassVar[str] = "pictures"
    PARTS_MODALITY: ClassVar[str] = "image"
    EXAMPLE: ClassVar[str] = "efficientnet_lite0"

    pictures: dict[str, Any] = Field(
        {"encoder": "efficientnet_lite0"},
        description="encoder of pictures, with its options, as a set of its own has them",
    )
    pooling: Literal["mean", "max", "sequence"] = Field(
        "mean", description="one vector of all pictures, or one each, in their order"
    )
    frames: int = Field(
        16, ge=1, le=1000, description="most pictures that are encoded, evenly chosen"
    )
    times: bool = Field(
        False, description="whether each picture of a sequence ends with its time, in seconds"
    )

    @model_validator(mode="after")
    def _times_of_a_sequence(self) -> Options:
        if self.times and self.pooling != "sequence":
            raise ValueError("times are kept of a sequence alone: write `pooling: sequence`")
        return self


def shape(options: Options) -> tuple[int, ...]:
    """(D,), or (frames, D), with one number more for times; raises what `_parts.width` does."""
    if options.pooling == "sequence":
        return options.frames, width(options) + options.times
    return (width(options),)


class Encoder:
    """Films → vectors, or sequences of them, one film at a time."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._encoder = options.kind.Encoder(options.inner)

    def encode(self, contents: Sequence[Clip]) -> tuple[np.ndarray, np.ndarray]:
        """Values, float32 (n, *shape), and how many pictures of each, or 1, int32 (n,)."""
        values = np.zeros((len(contents), *shape(self.options)), np.float32)
        lengths = np.ones(len(contents), np.int32)
        for row, clip in enumerate(contents):
            places = evenly(len(clip), self.options.frames)
            seen = self._vectors(clip, places)
            if self.options.pooling == "mean":
                values[row] = seen.mean(0, dtype=np.float64)
            elif self.options.pooling == "max":
                values[row] = seen.max(0)
            else:
                values[row, : len(places), : seen.shape[1]] = seen
                if self.options.times:
                    values[row, : len(places), -1] = [clip.times[place] / 1000 for place in places]
                lengths[row] = len(places)
        return values, lengths

    def _vectors(self, clip: Clip, places: Sequence[int]) -> np.ndarray:
        """float32 (pictures, D); as many are decoded at once as the encoder takes."""
        at_once = int(getattr(self.options.inner, "batch_size", 1))
        made = []
        for start in range(0, len(places), at_once):
            images = list(clip.images(places[start : start + at_once]))
            made.append(vectors(self._encoder, images, self.options))
        return np.concatenate(made)
