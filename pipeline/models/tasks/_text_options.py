"""The options of a text: its sub-words, its decoder, and how it answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from pipeline.models.encoder_layer import Dropout, Expansion, Heads, Layers
from pipeline.models.targets import is_known
from pipeline.models.task_options import TaskOptions
from pipeline.models.tasks import Kind, _subwords


class Options(TaskOptions):
    """The decoder of a text, and how it answers."""

    kind: Kind = "text"
    vocabulary: int = Field(
        1000,
        ge=257,
        le=65_536,
        description="sub-words at most, the bytes and the end included, what is told beside them",
    )
    hidden: int = Field(128, ge=1, le=4096, description="the decoder's width")
    layers: Layers = 2
    heads: Heads = 4
    expansion: Expansion = 2
    dropout: Dropout = 0.1
    longest: int = Field(
        32, ge=1, le=1024, description="sub-words of an answer, at most, the end included"
    )
    shortest: int = Field(0, ge=0, le=1024, description="sub-words before the end, at least")
    decoding: Literal["greedy", "beam", "sample"] = Field(
        "greedy", description="the likeliest sub-word each time, the best of several beams, a draw"
    )
    beams: int = Field(4, ge=1, le=64, description="of `beam`: answers that are followed at once")
    length_penalty: float = Field(
        1.0, ge=0, le=4, description="of `beam`: power of the length that log p is divided by"
    )
    temperature: float = Field(
        1.0, gt=0, le=100, description="of `sample`: below 1 what is likely is drawn more often"
    )
    likeliest: int = Field(
        0, ge=0, le=65_536, description="of `sample`: so many are drawn from; 0: all"
    )
    seed: int = Field(0, ge=0, description="of `sample`: another one draws other answers")
    given: str = Field(
        "", description="target whose value the decoder is told, such as the language; empty: none"
    )
    copies: str = Field(
        "",
        description="feature set of the encoder `utf8` that the decoder reads sub-word by sub-word "
        "and may copy from; empty: none",
    )

    @model_validator(mode="after")
    def _check_decoder(self) -> Self:
        if self.hidden % self.heads:
            raise ValueError(f"hidden: {self.hidden} is not divisible by the {self.heads} heads")
        if self.shortest >= self.longest:
            raise ValueError(f"shortest: {self.shortest} is not below longest, {self.longest}")
        if self.focal:
            raise ValueError("focal: a text is learned by its plain cross entropy; leave it out")
        return self

    def cells(self, targets: Mapping[str, np.ndarray], task: str) -> np.ndarray:
        """The texts; behind what is told, if anything is, and a line's end."""
        if not self.given:
            return targets[task]
        prefixes = (" ".join(str(v).split()) if is_known(v) else "" for v in targets[self.given])
        return np.array(
            [
                f"{value}{_subwords.PREFIX}{cell}" if is_known(cell) else None
                for value, cell in zip(prefixes, targets[task], strict=True)
            ],
            object,
        )

    def prior(self, truth: np.ndarray, classes: int) -> np.ndarray:
        """Its commonest text, as an answer: float32 (1 + longest,); of equals the first by ids."""
        known = truth[truth[:, 0] >= 0]
        answer = np.full(1 + self.longest, -1, np.float32)
        texts, count = np.unique(known, axis=0, return_counts=True)
        if len(texts):
            commonest = texts[count.argmax()][: self.longest]
            answer[0] = count.max() / len(known)
            answer[1 : 1 + len(commonest)] = commonest
        return answer
