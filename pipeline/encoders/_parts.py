"""Encoders that cut a content into parts, each encoded by another, which an option names."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import model_validator

from pipeline.core.errors import PipelineError
from pipeline.core.options import Options as Base
from pipeline.core.registry import locate
from pipeline.encoders import FOLDER, EncoderKind, encoder_of, prepared


class OfParts(Base):
    """What the options of such an encoder have beside their own.

    Attributes
    ----------
    PARTS:
        The option that names the encoder of the parts, with that one's options.
    PARTS_MODALITY, EXAMPLE:
        Whose content it takes, and an encoder that does.
    """

    PARTS: ClassVar[str]
    PARTS_MODALITY: ClassVar[str]
    EXAMPLE: ClassVar[str]

    @model_validator(mode="after")
    def _names_an_encoder_of_parts(self) -> OfParts:
        if not self.stated.get("encoder"):
            raise ValueError(
                f"no encoder of {self.PARTS} is named: write `encoder: NAME`, such as "
                f"{self.EXAMPLE}; `pipeline encoders` lists them"
            )
        try:
            kind, _ = self.kind, self.inner
        except PipelineError as error:
            raise ValueError(str(error)) from None
        if kind.MODALITY != self.PARTS_MODALITY:
            raise ValueError(
                f"'{self.name}' encodes {kind.MODALITY}: {self.PARTS} need one of "
                f"{self.PARTS_MODALITY}, such as {self.EXAMPLE}; `pipeline encoders` lists them"
            )
        return self

    @property
    def stated(self) -> dict[str, Any]:
        """The encoder of the parts with its options, as they are given."""
        options: dict[str, Any] = getattr(self, self.PARTS)
        return options

    @property
    def name(self) -> str:
        """Of the encoder of the parts."""
        return str(self.stated["encoder"])

    @property
    def kind(self) -> EncoderKind:
        return encoder_of(self.name)

    @cached_property
    def inner(self) -> Base:
        """The options of the encoder of the parts."""
        stated = {name: value for name, value in self.stated.items() if name != "encoder"}
        options: Base = self.kind.Options(**stated)
        return options

    @property
    def device(self) -> str:
        return getattr(self.inner, "device", "cpu")

    @property
    def backend(self) -> str:
        return getattr(self.inner, "backend", "torch")


def width(options: OfParts) -> int:
    """Numbers of a part; PipelineError if the encoder of the parts makes sequences."""
    numbers, *others = options.kind.shape(options.inner)
    if others:
        raise PipelineError(
            f"the encoder '{options.name}' makes a sequence of each of the {options.PARTS}; name "
            f"one that makes vectors, such as {options.EXAMPLE}"
        )
    return numbers


def weights(options: OfParts) -> list[Path]:
    """Those of the encoder of the parts."""
    return list(options.kind.weights(options.inner))


def parameters(options: OfParts) -> dict[str, Any]:
    """What is keyed: of the inner options what their own encoder says."""
    keyed = getattr(options.kind, "parameters", None)
    inner = keyed(options.inner) if keyed else options.inner.model_dump(mode="json")
    return options.model_dump(mode="json") | {options.PARTS: {"encoder": options.name, **inner}}


def modules(options: OfParts) -> list[str]:
    """The modules that are called by name, whose code is keyed too."""
    return [locate(FOLDER, options.name)]


def vectors(encoder: Any, parts: Sequence[Any], options: OfParts) -> np.ndarray:
    """float32 (parts, D), by the encoder of the parts, loaded."""
    made, _ = encoder.encode(prepared(options.kind, parts, options.inner))
    values: np.ndarray = made
    return values
