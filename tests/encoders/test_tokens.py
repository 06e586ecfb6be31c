from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.encoders.tokens import Encoder, Options, words


def encode(text: str, **options: object) -> list[int]:
    values, lengths = Encoder(Options.model_validate(options)).encode([text])
    return [int(one) for one in values[0, : lengths[0], 0]]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Ein kleiner Hund.", ["Ein", "kleiner", "Hund"]),
        ("l'été 2024", ["l", "été", "2024"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("東京都 tower", ["東京", "京都", "tower"]),
        ("犬", ["犬"]),
        ("iPhoneと犬", ["iPhone", "と犬"]),
        ("!?", ["!?"]),
    ],
)
def test_words_of_many_scripts(text: str, found: list[str]) -> None:
    assert words(text) == found


def test_an_id_is_the_words_own_wherever_it_stands() -> None:
    assert encode("dog bites man") == encode("man, bites dog")[::-1]
    assert encode("Dog") == encode("dog") != encode("Dog", casefold=False)
    assert encode("STRASSE") == encode("Straße")


def test_ids_are_these() -> None:
    """A change of them would change every stored row."""
    assert encode("dog wolf") == [2898431, 12463324]


def test_long_texts_are_cut() -> None:
    assert encode("a b c d", words=3) == encode("a b c")
    values, lengths = Encoder(Options(words=6)).encode(["a b", "c"])
    assert lengths.tolist() == [2, 1]
    assert not values[0, 2:].any()


@given(st.text(min_size=1))
def test_ids_have_24_bits_and_none_is_that_of_padding(text: str) -> None:
    text = text.encode("utf-8", "ignore").decode() or "?"
    values, lengths = Encoder(Options()).encode([text])
    ids = values[0, : lengths[0], 0]
    assert 1 <= lengths[0] <= 64
    assert ((ids >= 1) & (ids < 2**24) & (ids == np.round(ids))).all()
