"""Modalities, one a folder: `Modality` is what the folder says, and its modules are its parts.

- `content.py`, a `Content`: what it is in memory, and how it is stored;
- `clean.py`, a `Cleaning`: a file's bytes → content;
- `augment.py`, an `Augmentation`: content → a view of it;
- `examples.py`, `Examples`, which the tests of all modalities and encoders take;
- `show.py`, a `Showing`, if it can be shown on a page;
- `strip.py`, a `reporting.strips.Stripping`, if it can be shown along a time axis;
- `tracks.py`, a `raw.tracks.Tracks`, if its files hold other modalities too.

No other package names a modality: it asks the folder, which may be a third party's. (What
`pipeline init` proposes for somebody's folder is chosen among those that are here.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.core import registry

if TYPE_CHECKING:
    import numpy as np

    from pipeline.core.media_card import CardOptions, MediaCard

FOLDER = "modalities"


@dataclass(frozen=True)
class MediaType:
    """A kind of file that a modality reads.

    Parameters
    ----------
    name:
        As RFC 6838 has it, such as `image/png`.
    endings:
        How names of such files end, in small letters, with the dot.
    signature:
        A regular expression that the first bytes of such files match; empty if none tells.
    """

    name: str
    endings: tuple[str, ...] = ()
    signature: bytes = b""


class Modality(Protocol):
    """What a modality's folder says.

    Attributes
    ----------
    MEDIA_TYPES:
        The kinds of file that are of this modality.
    INLINE:
        The media type of content that stands in a cell of a table; None where none can.
    LEAK_KEY:
        The measurement of cleaning by which two contents are near: a 64-bit perceptual hash, 16
        hexadecimal digits, of which near contents differ in few bits. None where there is none.
    """

    @property
    def MEDIA_TYPES(self) -> Sequence[MediaType]: ...

    @property
    def INLINE(self) -> str | None: ...

    @property
    def LEAK_KEY(self) -> str | None: ...


class Content(Protocol):
    """How content is stored."""

    def pack(self, content: Any, /) -> tuple[bytes, tuple[int, ...]]:
        """Its bytes and its shape."""

    def unpack(self, data: bytes, shape: Sequence[int]) -> Any:
        """The inverse of `pack`, exactly."""


class Cleaning(Protocol):
    """From a file's bytes to content.

    Some have `parameters(options)` too: what of the options is keyed and what else changes the
    bits, such as how a library was built, where that is not the options alone; and some
    `cost_ms(options)`, where COST_MS depends on them. Those with `SPANS`, which is True, take of a
    file the span that is a parameter of its media type (`core.spans`). Those with `IN_PLACE`, which
    is True, are given large files as `core.files.file_bytes.Bytes`, which need not be in memory.

    Attributes
    ----------
    Options:
        A `pipeline.core.options.Options`, all of it keyed, each field with its description.
    COST_MS:
        Rough CPU milliseconds of a file; it only chooses the executor.
    MEASUREMENTS:
        Name and pyarrow's alias of the type of each measurement.
    CUT:
        Two measurements in one unit: how much of a content was cut off, and how much there was;
        None where nothing is.
    """

    Options: Any

    @property
    def COST_MS(self) -> float: ...

    @property
    def MEASUREMENTS(self) -> Sequence[tuple[str, str]]: ...

    @property
    def CUT(self) -> tuple[str, str] | None: ...

    def most_bytes(self, size: int, options: Any) -> int:
        """Bytes that a file of `size` bytes takes once it is clean and packed, at most."""

    def clean(
        self, data: bytes, media_type: str, options: Any
    ) -> tuple[Any, Mapping[str, int | float | str]]:
        """The content as it will be stored, and its MEASUREMENTS; Rejected, and nothing else."""


class Augmentation(Protocol):
    """Views of content for training, described by recipes, which are data.

    Attributes
    ----------
    Options:
        A `pipeline.core.options.Options` with `views`, the number of views of each content.
    """

    Options: Any

    def draw(self, rng: np.random.Generator, options: Any) -> Sequence[Mapping[str, Any]]:
        """The operations of one view, in order: JSON-able, with the name under `op`."""

    def apply(self, content: Any, recipe: Any) -> Any:
        """A new content after the operations; of none, it is as it was."""


class Showing(Protocol):
    """How content looks on a page."""

    def show(self, content: Any, options: CardOptions) -> MediaCard:
        """Equal content gives equal bytes."""


class Examples(Protocol):
    """What the tests that hold for all modalities and encoders are run with.

    Attributes
    ----------
    TELLS_DAMAGE:
        Whether cleaning can tell that a file was cut off, or that bytes are no such file.
    """

    TELLS_DAMAGE: bool

    def files(self) -> Mapping[str, bytes]:
        """A good file of each media type."""

    def contents(self) -> Sequence[Any]:
        """At least five, of every size, down to the smallest that cleaning lets through."""


def modalities() -> list[str]:
    """The name of every modality."""
    return registry.names(FOLDER)


def modality_of(name: str) -> Modality:
    """What the folder of that modality says."""
    return registry.load(FOLDER, name, Modality)


def content_of(modality: str) -> Content:
    return registry.load(f"{FOLDER}/{modality}", "content", Content)


def cleaning_of(modality: str) -> Cleaning:
    return registry.load(f"{FOLDER}/{modality}", "clean", Cleaning)


def augmentation_of(modality: str) -> Augmentation:
    return registry.load(f"{FOLDER}/{modality}", "augment", Augmentation)


def examples_of(modality: str) -> Examples:
    return registry.load(f"{FOLDER}/{modality}", "examples", Examples)


def showing_of(modality: str) -> Showing | None:
    """None where the modality cannot be shown."""
    if not has_part(modality, "show"):
        return None
    return registry.load(f"{FOLDER}/{modality}", "show", Showing)


def has_part(modality: str, part: str) -> bool:
    """Whether a modality has one of the parts that it may do without."""
    return part in registry.names(f"{FOLDER}/{modality}")


def part(modality: str, name: str) -> str:
    """The dotted name of a part of a modality, which is not imported."""
    return registry.locate(f"{FOLDER}/{modality}", name)


def measures(modality: str, measurement: str) -> bool:
    """Whether a modality's cleaning measures this."""
    return measurement in dict(cleaning_of(modality).MEASUREMENTS)
