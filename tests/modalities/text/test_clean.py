# ruff: noqa: RUF001 (the characters that are easily confused are what is tested)
from __future__ import annotations

import contextlib
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.core.errors import Rejected
from pipeline.modalities.text.clean import MEASUREMENTS, Options, clean, most_bytes, repair, script
from pipeline.modalities.text.content import is_readable

OPTIONS = Options()

# One name a script or spelling that a careless repair damages.
NAMES = [
    "Moneda de 25 centavos ($0,25), conocida como «cuarto».",
    "Стерв’ятник.",
    "‘Quarter’ izeneko hogeitabost zentimoko Estatu Batuetako txanpona",
    "’n Pikkewyn",
    "企鹅－Ｌｉｎｕｘ的吉祥物。",
    "ほえる きょうりゅう！",
    "´Õ Àð¼¡õâîº¢",
    "´Õ §¸ÁÃ¡.",
    "यु॰एस॰ २५ सेन्ट",
    "می‌روم",
    "ផិនឃ្វីន\u200bនៅ\u200bក្នុង",
    'בארה"ב 25 סנט ($ .25) קרא רבע.',
    "ﬁn de l’été",
    "Rock & roll <b>",
]


def cleaned(text: str, options: Options = OPTIONS) -> str:
    return clean(text.encode(), "text/plain", options)[0]


@pytest.mark.parametrize("name", NAMES)
def test_well_written_text_stays(name: str) -> None:
    assert cleaned(name) == name


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
@pytest.mark.parametrize("name", ["Une pièce de monnaie", "Пингвин", "Çekirge", "Νόμισμα"])
def test_utf8_read_as_a_one_byte_encoding_is_repaired(name: str, encoding: str) -> None:
    # Bytes that the encoding leaves free are read as control characters, as browsers do.
    broken = "".join(
        bytes([byte]).decode(encoding, "ignore") or chr(byte) for byte in name.encode()
    )
    assert broken != name
    assert cleaned(broken) == name


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("  two\t words\r\n", "two words"),
        ("no\u00a0break\u3000wide\u2028line", "no break wide line"),
        ("Pele\u0304\u0093kais gulbis", "Pelēkais gulbis"),
        ("Salt &amp; pepper", "Salt & pepper"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\ufeffmark", "mark"),
        ("be\u0301b\x07e\u0301", "bébé"),
    ],
)
def test_what_programs_did_is_undone(written: str, expected: str) -> None:
    assert cleaned(written) == expected


@pytest.mark.parametrize("text", ["", " \n ", "\u200b", "\x07\x01"])
def test_nothing_to_read_is_empty(text: str) -> None:
    with pytest.raises(Rejected) as refused:
        cleaned(text)
    assert refused.value.reason == "empty"


@pytest.mark.parametrize("letter", ["a", "ж", "🐧"])
def test_the_limit_counts_characters(letter: str) -> None:
    options = Options(max_characters=5)
    assert cleaned(letter * 5, options) == letter * 5
    for count in (6, 1000):
        with pytest.raises(Rejected) as refused:
            cleaned(letter * count, options)
        assert refused.value.reason == "too_long"


def test_measurements_are_those_declared() -> None:
    _, measured = clean(b"A US 25 cent piece", "text/plain", OPTIONS)
    assert measured == {"characters": 18, "words": 5, "script": "LATIN", "confidence": 1.0}
    assert list(measured) == [name for name, _ in MEASUREMENTS]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Пингвин Tux", "CYRILLIC"),
        ("Πλην", "GREEK"),
        ("એક બગલો", "GUJARATI"),
        ("小蜜蜂", "CJK"),
        ("펭귄", "HANGUL"),
        ("22 + 3", ""),
        ("Жx", "CYRILLIC"),
    ],
)
def test_script_is_that_of_most_letters(text: str, expected: str) -> None:
    assert script(text) == expected


def test_a_declared_fallback_is_used() -> None:
    data = "Étagère".encode("cp1252")
    assert clean(data, "text/plain", Options(fallback="windows-1252"))[0] == "Étagère"


@pytest.mark.parametrize("name", ["nonsense", "base64", "rot13", ""])
def test_a_fallback_must_be_a_text_encoding(name: str) -> None:
    with pytest.raises(ValidationError, match="no text encoding that Python knows"):
        Options(fallback=name)


@pytest.mark.parametrize("name", ["utf-16", "shift_jis", "koi8-r"])
def test_a_fallback_may_be_any_text_encoding(name: str) -> None:
    assert Options(fallback=name).fallback is not None


def test_two_names_of_one_fallback_are_one_option() -> None:
    assert Options(fallback="latin-1") == Options(fallback="ISO-8859-1")


@given(st.text())
def test_whatever_is_kept_is_clean(text: str) -> None:
    kept = repair(text)
    assert kept == unicodedata.normalize("NFC", kept)
    assert kept == " ".join(kept.split())
    assert not any(unicodedata.category(character) in {"Cc", "Cs"} for character in kept)


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_any_text_goes_through_or_is_refused(text: str) -> None:
    reason, kept = None, "kept"
    try:
        kept = cleaned(text)
    except Rejected as refused:
        reason = refused.reason
    assert reason in {None, "empty", "binary"}
    assert is_readable(kept)


@pytest.mark.parametrize(
    "data",
    [
        "€€".encode("cp1252"),
        "世界".encode("utf-16"),
        "\U0001d160\U0001d160".encode(),
        "\u0958".encode() * 9,
        b"&nGt;&nGt;",
    ],
)
def test_what_grows_in_cleaning_takes_no_more_than_is_planned_for(data: bytes) -> None:
    options = Options(fallback="cp1252")
    text, _ = clean(data, "text/plain", options)
    assert len(text.encode()) <= most_bytes(len(data), options)
    assert most_bytes(10**6, Options(max_characters=5)) == 20


@pytest.mark.parametrize("piece", ["\u0f71\u0f72\u0f74", "\u0301\u0323", "Ã", "&#769;", "\x1b[;"])
def test_no_text_of_the_longest_takes_long(piece: str) -> None:
    """Putting marks in order takes the square of their number."""
    text = (piece * 40_000).encode()[:40_000].decode(errors="ignore")
    began = time.process_time()
    with contextlib.suppress(Rejected):
        clean(text.encode(), "text/plain", Options())
    assert time.process_time() - began < 5
