"""Encoders, one a file: content of one modality → feature. `EncoderKind` is what a file has."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.core import registry

if TYPE_CHECKING:
    import numpy as np

    from pipeline.core.options import Options

FOLDER = "encoders"


class Encoder(Protocol):
    """What a file's `Encoder(options)` makes: it has loaded what it needs, once a worker."""

    def encode(self, contents: Any, /) -> tuple[np.ndarray, np.ndarray]:
        """Values, float32 (n, *shape), and lengths, int32 (n,): how many frames of each count.

        What stands from a row's length on is zero; the length of a vector is 1. A row's bytes
        depend on its content alone, whatever stands beside it. Contents stay as they are.
        """


class EncoderKind(Protocol):
    """A kind of encoder.

    Some have more. `IDS = True` says that the values are ids of words. `prepare(contents, options)`
    does the work that needs no encoder: its results are what `encode` gets, and where encoders sit
    on GPUs other processes do it. `space(options)` names what encoders of several modalities share,
    whose vectors may be compared. `parameters(options)` says what of the options is keyed, where
    that is not all; `modules(options)`, which modules it calls by name. `LICENCE` is that of the
    weights. Options named `device` (`cpu`, `cuda`), `backend`, `batch_size`, `model` (a folder of
    weights, or a name) and `times` (whether a frame's last number is its time, in seconds) are
    known by these names.

    Attributes
    ----------
    MODALITY:
        Whose content it takes.
    COST_MS:
        Rough CPU milliseconds of a row; it only chooses the executor.
    Options:
        A `pipeline.core.options.Options`, all of it keyed, each field with its description.
    """

    MODALITY: str
    Options: Any

    @property
    def COST_MS(self) -> float: ...

    def shape(self, options: Any, /) -> tuple[int, ...]:
        """Of one row's feature: (D,) or (frames, bands)."""

    def weights(self, options: Any, /) -> Sequence[Path]:
        """The files that it loads, which are keyed by their bytes; PipelineError if one is missing.

        The message then says how it is had.
        """

    def Encoder(self, options: Any, /) -> Encoder:
        """The encoder, loaded."""


def encoder_of(name: str) -> EncoderKind:
    """The kind of encoder of that name."""
    return registry.load(FOLDER, name, EncoderKind)


def batch_places(batches: Sequence[tuple[Hashable, int]]) -> Iterator[list[int]]:
    """Places of the rows of each batch: of one kind, at most as many as that kind takes.

    Parameters
    ----------
    batches:
        Of each row the kind of batch that takes it, and how many rows such a batch has.
    """
    places_by_batch: dict[tuple[Hashable, int], list[int]] = {}
    for place, batch in enumerate(batches):
        places_by_batch.setdefault(batch, []).append(place)
    for (_, size), places in places_by_batch.items():
        for start in range(0, len(places), size):
            yield places[start : start + size]


def prepared(kind: EncoderKind, contents: Sequence[Any], options: Options) -> Any:
    """Contents as the encoder takes them, after the work that needs none."""
    prepare = getattr(kind, "prepare", None)
    return prepare(contents, options) if prepare else contents
