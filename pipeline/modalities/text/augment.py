"""Augmented text: words left out, neighbouring words swapped, typing errors.

The operations are those of Wei and Zou, "EDA" (2019) and Belinkov and Bisk, "Synthetic and Natural
Noise" (2018) that need no dictionary, so they suit every language. A recipe says how much of a
text an operation touches and by which seed, never which words: it is drawn without the text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from pipeline.core.options import Options as Base
from pipeline.core.randomness import generator
from pipeline.modalities.text.content import is_readable

if TYPE_CHECKING:
    import numpy as np


class Options(Base):
    """How many views, how likely each operation is in one, and how much it may touch."""

    views: int = Field(2, ge=0, le=100, description="augmented views of each text")
    dropout: float = Field(0.3, ge=0, le=1, description="probability that words are left out")
    dropout_share: float = Field(0.3, ge=0, lt=1, description="largest share of words left out")
    swap: float = Field(0.3, ge=0, le=1, description="probability that neighbours are swapped")
    swap_share: float = Field(0.3, ge=0, le=1, description="largest share of words swapped")
    noise: float = Field(0.7, ge=0, le=1, description="probability of typing errors")
    noise_share: float = Field(0.15, ge=0, le=1, description="largest share of letters mistyped")


def draw(rng: np.random.Generator, options: Options) -> list[dict[str, Any]]:
    """The operations of one view, in the order in which they are applied."""
    recipe = []
    for operation, probability, largest in (
        ("dropout", options.dropout, options.dropout_share),
        ("swap", options.swap, options.swap_share),
        ("noise", options.noise, options.noise_share),
    ):
        # Drawn even if unused, so that one operation's probability does not move the others.
        chance, share, seed = rng.random(), rng.uniform(0, largest), int(rng.integers(2**32))
        if chance < probability:
            recipe.append({"op": operation, "share": round(float(share), 4), "seed": seed})
    return recipe


def apply(content: str, recipe: Sequence[Mapping[str, Any]]) -> str:
    """The view of a text that a recipe describes.

    Each operation touches at least one word or letter, so that short texts are augmented too, and
    one that would leave nothing to read is passed over.
    """
    for operation in recipe:
        rng = generator(operation["seed"], operation["op"])
        changed = OPERATIONS[operation["op"]](content, operation["share"], rng)
        content = changed if is_readable(changed) else content
    return unicodedata.normalize("NFC", " ".join(content.split()))


def dropout(text: str, share: float, rng: np.random.Generator) -> str:
    """Leave out a share of the words."""
    words = text.split()
    gone = set(_some(share, len(words), rng))
    return " ".join(word for place, word in enumerate(words) if place not in gone)


def swap(text: str, share: float, rng: np.random.Generator) -> str:
    """Swap a share of the words with the next one."""
    words = text.split()
    for place in _some(share, len(words) - 1, rng):
        words[place : place + 2] = words[place + 1], words[place]
    return " ".join(words)


def noise(text: str, share: float, rng: np.random.Generator) -> str:
    """Delete, insert, replace or transpose a share of the letters, as typing errors do.

    New letters come from the text itself, so they are of its alphabet. White space stays.
    """
    units = letters(text)
    places = [place for place, unit in enumerate(units) if is_readable(unit)]
    alphabet = [units[place] for place in places]
    for place in [places[some] for some in _some(share, len(places), rng)]:
        other = alphabet[rng.integers(len(alphabet))]
        kind = rng.integers(4)
        if kind == 0:
            units[place] = ""
        elif kind == 1:
            units[place] += other
        elif kind == 2:
            units[place] = other
        elif place + 1 < len(units) and is_readable(units[place + 1]):
            units[place : place + 2] = units[place + 1], units[place]
    return "".join(units)


def letters(text: str) -> list[str]:
    """The characters of a text, each with the marks and joiners that follow it."""
    units: list[str] = []
    for character in text:
        category = unicodedata.category(character)
        if units and (category == "Cf" or category[0] == "M"):
            units[-1] += character
        else:
            units.append(character)
    return units


OPERATIONS: Mapping[str, Callable[[str, float, np.random.Generator], str]] = {
    "dropout": dropout,
    "swap": swap,
    "noise": noise,
}


def _some(share: float, of: int, rng: np.random.Generator) -> list[int]:
    """Distinct places below `of`, in random order: a share of them, at least one if there is."""
    places: list[int] = rng.permutation(max(of, 0)).tolist()
    return places[: max(1, round(share * of))]
