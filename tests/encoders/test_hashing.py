from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.encoders.hashing import Encoder, Options, shape

OPTIONS = Options()


def encode(*contents: str, options: Options = OPTIONS) -> np.ndarray:
    return Encoder(options).encode(contents)[0]


def test_counts_of_a_known_text() -> None:
    """`a` and the spaces about it, by hand: CRC-32 of b"a" is 0xE8B7BE43, of b" " 0xE96CCF45."""
    vector = encode("a", options=Options(dimension=1024, longest=1))[0]
    expected = np.zeros(1024)
    expected[(0xE8B7BE43 >> 1) % 1024] += 1
    expected[(0xE96CCF45 >> 1) % 1024] += 2
    np.testing.assert_allclose(vector, expected / np.sqrt(5), rtol=1e-6)


def test_spelling_tells_stems_and_languages_apart() -> None:
    dog, dogs, cat = encode("The dog", "The dogs", "Katze")
    assert dog @ dogs > 0.7 > 0.3 > abs(dog @ cat)


def test_capitals_count_if_asked_for() -> None:
    small, capital = encode("straße", "STRASSE")
    np.testing.assert_array_equal(small, capital)
    small, capital = encode("dog", "DOG", options=Options(casefold=False))
    assert not np.array_equal(small, capital)


@given(st.text())
def test_vectors_have_length_one_or_zero(text: str) -> None:
    options = Options(dimension=8)
    text = text.encode(errors="ignore").decode()
    length = np.linalg.norm(encode(text, options=options))
    assert length == pytest.approx(1, abs=1e-6) or length == 0


def test_a_row_depends_on_nothing_but_itself() -> None:
    texts = ["Un chien", "пингвин", "ペンギン"]
    together = encode(*texts)
    for row, text in zip(together, texts, strict=True):
        assert row.tobytes() == encode(text)[0].tobytes()


def test_no_texts_make_no_rows() -> None:
    vectors, lengths = Encoder(OPTIONS).encode([])
    assert vectors.shape == (0, *shape(OPTIONS))
    assert lengths.shape == (0,)


def test_an_empty_range_of_n_grams_is_no_option() -> None:
    with pytest.raises(ValidationError, match="shortest must not exceed longest"):
        Options(shortest=3, longest=2)
