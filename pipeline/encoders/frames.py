"""A film by any encoder of pictures: each of its pictures encoded, then pooled or kept in order.

`sequence` gives towers over time what they attend to, with each picture's time as its last number
if `times` says so; `mean` and `max` give any tower a vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from pipeline.core.errors import PipelineError
from pipeline.core.options import Options as Base
from pipeline.core.registry import locate
from pipeline.encoders import FOLDER, EncoderKind, encoder_of, prepared
from pipeline.modalities.video.content import evenly

if TYPE_CHECKING:
    from pipeline.modalities.video.content import Clip

MODALITY = "video"
COST_MS = 200.0
LICENCE = "that of the encoder of pictures"
OF_PICTURES = "image"


class Options(Base):
    """Which encoder, of how many pictures, and what becomes of them."""

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
    def _fits(self) -> Options:
        try:
            kind, _ = self.kind, self.inner
        except PipelineError as error:
            raise ValueError(str(error)) from None
        if kind.MODALITY != OF_PICTURES:
            raise ValueError(f"'{self.name}' encodes {kind.MODALITY}, not pictures")
        if self.times and self.pooling != "sequence":
            raise ValueError("times are kept of a sequence alone: write `pooling: sequence`")
        return self

    @property
    def name(self) -> str:
        """Of the encoder of pictures."""
        return str(self.pictures.get("encoder"))

    @property
    def kind(self) -> EncoderKind:
        return encoder_of(self.name)

    @cached_property
    def inner(self) -> Base:
        """The options of the encoder of pictures."""
        stated = {name: value for name, value in self.pictures.items() if name != "encoder"}
        options: Base = self.kind.Options(**stated)
        return options

    @property
    def device(self) -> str:
        return getattr(self.inner, "device", "cpu")

    @property
    def backend(self) -> str:
        return getattr(self.inner, "backend", "torch")


def shape(options: Options) -> tuple[int, ...]:
    """(D,), or (frames, D), with one number more for times.

    Raises
    ------
    PipelineError
        The encoder of pictures makes sequences.
    """
    width, *others = options.kind.shape(options.inner)
    if others:
        raise PipelineError(
            f"the encoder '{options.name}' makes a sequence of each picture; name one that makes "
            f"vectors, such as efficientnet_lite0"
        )
    if options.pooling == "sequence":
        return options.frames, width + options.times
    return (width,)


def weights(options: Options) -> list[Path]:
    """Those of the encoder of pictures."""
    return list(options.kind.weights(options.inner))


def parameters(options: Options) -> dict[str, Any]:
    """What is keyed: of the inner options what their own encoder says."""
    keyed = getattr(options.kind, "parameters", None)
    inner = keyed(options.inner) if keyed else options.inner.model_dump(mode="json")
    return options.model_dump(mode="json") | {"pictures": {"encoder": options.name, **inner}}


def modules(options: Options) -> list[str]:
    """The modules that are called by name, whose code is keyed too."""
    return [locate(FOLDER, options.name)]


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
            vectors = self._vectors(clip, places)
            if self.options.pooling == "mean":
                values[row] = vectors.mean(0, dtype=np.float64)
            elif self.options.pooling == "max":
                values[row] = vectors.max(0)
            else:
                values[row, : len(places), : vectors.shape[1]] = vectors
                if self.options.times:
                    values[row, : len(places), -1] = [clip.times[place] / 1000 for place in places]
                lengths[row] = len(places)
        return values, lengths

    def _vectors(self, clip: Clip, places: Sequence[int]) -> np.ndarray:
        """float32 (pictures, D); as many are decoded at once as the encoder takes."""
        at_once = int(getattr(self.options.inner, "batch_size", 1))
        vectors = []
        for start in range(0, len(places), at_once):
            images = list(clip.images(places[start : start + at_once]))
            made, _ = self._encoder.encode(prepared(self.options.kind, images, self.options.inner))
            vectors.append(made)
        return np.concatenate(vectors)
