"""Words to learned vectors, then the tower that reads sequences of such.

A word is an id, as `tokens` makes them. The commonest ids of the train split get a vector of their
own, in the order of frequency, then id; all the others share one, which rare words train. Vectors
by table lookup: Bengio et al. 2003 (jmlr.org/papers/v3/bengio03a).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from pipeline.models.frames import frame_mask
from pipeline.models.tower_options import TowerOfKind, TowerOptions, of_kind
from pipeline.models.tower_options import check_shape as check_tower

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor, nn

IDS = True
# Stands for no word, behind all ids, which have 24 bits.
NONE = 2**24


class Options(TowerOptions):
    words: int = Field(
        8192, ge=1, le=1 << 20, description="words with a vector of their own, at most"
    )
    at_least: int = Field(
        2, ge=1, le=10_000, description="times that such a word occurs in the train split"
    )
    numbers: int = Field(64, ge=1, le=4096, description="dimensions of a word's vector")
    reader: TowerOfKind = Field(
        default_factory=lambda: of_kind({"kind": "gru"}),
        description="the tower that reads the vectors; its width is this one's",
    )

    @model_validator(mode="before")
    @classmethod
    def _share_width(cls, data: Any) -> Any:
        if not isinstance(data.get("reader", {}), Mapping):
            return data
        reader = {"kind": "gru", **data.get("reader", {})}
        width = data.get("width", TowerOptions().width)
        if reader.setdefault("width", width) != width:
            raise ValueError(f"reader.width: {reader['width']} is not width, {width}")
        return {**data, "reader": reader}

    @property
    def kinds(self) -> tuple[str, ...]:
        return (self.kind, *self.reader.kinds)


def check(shape: tuple[int, ...], options: Options) -> None:
    if len(shape) != 2 or shape[1] != 1:
        raise ValueError("takes ids of words, one per frame")
    if options.reader.times:
        raise ValueError("takes a reader without times, which words do not bear")
    if options.reader.PRETRAINED:
        raise ValueError(f"takes a reader that learns from nothing, not '{options.reader.kind}'")
    check_tower((shape[0], options.numbers), options.reader, ids=False)


def build(shape: tuple[int, ...], options: Options) -> nn.Module:
    import torch
    from torch import nn

    class Tower(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.at_least = options.at_least
            reader = options.reader.build((shape[0], options.numbers))
            self.vectors = nn.Embedding(options.words + 1, options.numbers)
            self.reader: Any = reader
            self.step = getattr(reader, "step", 0)
            self.register_buffer("words", torch.full((options.words,), NONE))

        def fit(self, ids: Int[Tensor, " k"], count: Int[Tensor, " k"]) -> None:
            """Choose the words: distinct ids in order, and how often each occurs."""
            words = self.get_buffer("words")
            order = count.argsort(descending=True, stable=True)
            common = order[count[order] >= self.at_least]
            chosen = ids[common[: len(words)]].sort()[0]
            words.fill_(NONE)[: len(chosen)] = chosen

        def forward(
            self, values: Float[Tensor, "n frames 1"], lengths: Int[Tensor, " n"]
        ) -> Float[Tensor, "n width"]:
            """The values are ids."""
            token: Tensor = self.reader(self._vectors(values, lengths), lengths)
            return token

        def frames(
            self, values: Float[Tensor, "n frames 1"], lengths: Int[Tensor, " n"]
        ) -> Float[Tensor, "n steps width"]:
            """As the reader has them."""
            tokens: Tensor = self.reader.frames(self._vectors(values, lengths), lengths)
            return tokens

        def _vectors(self, values: Tensor, lengths: Tensor) -> Tensor:
            """(n, frames, numbers), zeros beyond the lengths."""
            words = self.get_buffer("words")
            ids = values[..., 0].nan_to_num().clamp(0, NONE - 1).long()
            place = torch.searchsorted(words, ids).clamp(max=len(words) - 1)
            vectors = self.vectors((place + 1).where(words[place] == ids, 0))
            within: Tensor = vectors.where(frame_mask(vectors.shape[1], lengths), 0.0)
            return within

    return Tower()
