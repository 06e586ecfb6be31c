"""Bytes to characters, where the bytes themselves say how; no guessing."""

from __future__ import annotations

import codecs

from pipeline.core.errors import Rejected

# Longest first: the mark of UTF-32 begins with that of UTF-16.
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decode(data: bytes, fallback: str | None = None) -> str:
    """The characters that bytes stand for.

    A byte-order mark decides; without one it is UTF-8, or its variant CESU-8, which some databases
    and Java write and which no other encoding resembles. Whether the rest is Windows-1252, -1250
    or KOI8 the bytes of a short text do not tell, and a wrong guess looks like a word: only who
    knows the data's origin can say, by `fallback`.

    Raises
    ------
    Rejected
        `not_utf8`, or `binary` for text with a NUL character.
    """
    encodings = [encoding for mark, encoding in MARKS if data.startswith(mark)][:1]
    for encoding in encodings or ["utf-8", "utf-8-variants", *([fallback] if fallback else [])]:
        text = _decoded(data, encoding)
        if text is not None:
            if "\0" in text:
                raise Rejected("binary", "Holds NUL characters, so it is not text.")
            return text
    raise Rejected("not_utf8", "Neither UTF-8 nor marked as another encoding of Unicode.")


def text_encoding(name: str | None) -> str | None:
    """The name that Python gives to a text encoding; ValueError if it knows none of this name."""
    if name is None:
        return None
    try:
        b" ".decode(name)
    except LookupError:
        raise ValueError(f"'{name}' is no text encoding that Python knows, like cp1252") from None
    except UnicodeError:
        pass  # It is known; a single byte is no character in it.
    return codecs.lookup(name).name


def _decoded(data: bytes, encoding: str) -> str | None:
    if encoding == "utf-8-variants":
        import ftfy.bad_codecs  # noqa: F401 (registers the codec)
    try:
        return data.decode(encoding)
    except UnicodeError:
        return None
