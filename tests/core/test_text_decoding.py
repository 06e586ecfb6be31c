from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import Rejected
from pipeline.core.text_decoding import decode

NAME = "Un pingüino, пингвин, ペンギン 🐧"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_is_decoded_and_its_mark_dropped(encoding: str) -> None:
    assert decode(NAME.encode(encoding)) == NAME


@pytest.mark.parametrize(
    ("mark", "encoding"), [(b"\xfe\xff", "utf-16-be"), (b"\0\0\xfe\xff", "utf-32-be")]
)
def test_the_other_byte_order_is_decoded_too(mark: bytes, encoding: str) -> None:
    assert decode(mark + NAME.encode(encoding)) == NAME


def test_cesu_8_is_decoded() -> None:
    """Characters beyond the first 65,536 as two surrogates of three bytes each."""
    assert decode(b"Tux " + b"\xed\xa0\xbd\xed\xb0\xa7") == "Tux 🐧"


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "cp1250"])
def test_one_byte_encodings_are_rejected(encoding: str) -> None:
    with pytest.raises(Rejected) as refused:
        decode("Étagé".encode(encoding))
    assert refused.value.reason == "not_utf8"


def test_a_fallback_decodes_what_is_not_unicode_and_nothing_else() -> None:
    russian = "Пингвин"
    assert decode(russian.encode("koi8-r"), "koi8-r") == russian
    assert decode(russian.encode(), "koi8-r") == russian


def test_a_fallback_that_does_not_fit_rejects() -> None:
    with pytest.raises(Rejected) as refused:
        decode(b"\xff\x81", "cp1252")
    assert refused.value.reason == "not_utf8"


@pytest.mark.parametrize("data", [b"a\0b", "ab".encode("utf-16-le"), b"a\xc0\x80b"])
def test_nul_is_binary(data: bytes) -> None:
    with pytest.raises(Rejected) as refused:
        decode(data)
    assert refused.value.reason == "binary"


def test_a_picture_is_rejected() -> None:
    with pytest.raises(Rejected) as refused:
        decode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    assert refused.value.reason == "not_utf8"


@given(st.binary(max_size=40))
def test_any_bytes_are_decoded_or_rejected(data: bytes) -> None:
    reason, text = None, ""
    try:
        text = decode(data)
    except Rejected as refused:
        reason = refused.reason
    assert reason in {None, "not_utf8", "binary"}
    assert "\0" not in text
