from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.modalities.text.content import is_readable, pack, unpack


@given(st.text())
def test_unpack_inverts_pack(content: str) -> None:
    data, shape = pack(content)
    assert unpack(data, shape) == content
    assert shape == (len(content),)


@pytest.mark.parametrize("content", ["", " ", "\u200b", "\u200d \ufeff", "\x85\u2028"])
def test_spaces_joiners_and_controls_are_not_readable(content: str) -> None:
    assert not is_readable(content)


@pytest.mark.parametrize("content", ["8", "!", "é", "\u200bក", "\U0001f427"])
def test_letters_digits_and_signs_are_readable(content: str) -> None:
    assert is_readable(content)
