"""Cleaned text: repaired encoding, NFC, single spaces, no control characters."""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import Any

from pydantic import Field, field_validator

from pipeline.core.errors import Rejected
from pipeline.core.options import Options as Base
from pipeline.core.text_decoding import decode, text_encoding
from pipeline.modalities.text.content import is_readable
from pipeline.modalities.text.speech import Speech, build

# CPU milliseconds of a text, and of one utterance that becomes one.
COST_MS, SPOKEN_MS = 0.05, 1000.0
MEASUREMENTS: tuple[tuple[str, str], ...] = (
    ("characters", "int32"),
    ("words", "int32"),
    ("script", "string"),
    ("confidence", "float32"),
)
CUT = None


class Options(Base):
    """What text must be to go on."""

    max_characters: int = Field(
        10_000, ge=1, le=1_000_000, description="longest text that is kept, in characters"
    )
    fallback: str | None = Field(
        None,
        description="encoding of text that is not Unicode, e.g. cp1252; null rejects such text",
    )

    speech: Speech | None = Field(
        None,
        description="how films without subtitles and recordings become text; null: they do not",
    )

    _fallback = field_validator("fallback")(text_encoding)


def parameters(options: Options) -> dict[str, Any]:
    """What is keyed: the options, and what the recogniser of speech is, wherever it lies."""
    recogniser = {"recogniser": build(options.speech)} if options.speech else {}
    return options.model_dump(mode="json", exclude={"speech": {"model"}}) | recogniser


def cost_ms(options: Options) -> float:
    """As if all texts had to be heard, where some may."""
    return SPOKEN_MS if options.speech else COST_MS


def most_bytes(size: int, options: Options) -> int:
    """Bytes of UTF-8 that a text of `size` bytes may take once it is clean.

    A byte of a one-byte encoding takes up to three, as do the two of UTF-16 and characters that
    are taken apart; so four leave room.
    """
    return 4 * min(size, options.max_characters)


def clean(
    data: bytes, media_type: str, options: Options
) -> tuple[str, dict[str, int | float | str]]:
    """The text that bytes hold, and its measurements.

    `characters` counts code points, `words` what white space separates, and `script` is the
    alphabet of most of its letters, as the first word of their Unicode names (LATIN, CYRILLIC,
    CJK, …; empty where there are no letters). `confidence` is 1, text being what is written; of
    recognised speech the recogniser's stands in its place.

    Raises
    ------
    Rejected
        `not_utf8`, `binary`, `empty` or `too_long`.
    """
    limit = options.max_characters
    if len(data) > 4 * (limit + 1):
        raise Rejected("too_long", f"{len(data)} bytes, more than {limit} characters can take.")
    text = repair(decode(data, options.fallback))
    if not is_readable(text):
        raise Rejected("empty", "Holds nothing that can be read.")
    if len(text) > limit:
        raise Rejected("too_long", f"{len(text)} characters; the limit is {limit}.")
    return text, {
        "characters": len(text),
        "words": len(text.split()),
        "script": script(text),
        "confidence": 1.0,
    }


def repair(text: str) -> str:
    """Undo what other programs did to the text, and leave how it is written alone.

    Undone are UTF-8 that was read as a one-byte encoding, HTML entities, terminal escapes, lone
    surrogates, and control characters. Quotes, ligatures and full-width characters stay: they are
    the writer's. Repairs of single characters stay undone too: in a short text of a rarer language
    they strike right ones (Tamil, Latvian). So do joiners and spaces without width, which Persian,
    Hindi and Khmer are spelt with.
    """
    import ftfy

    config = ftfy.TextFixerConfig(
        unescape_html="auto",
        remove_terminal_escapes=True,
        fix_encoding=True,
        restore_byte_a0=True,
        replace_lossy_sequences=True,
        decode_inconsistent_utf8=False,
        fix_c1_controls=False,
        fix_latin_ligatures=False,
        fix_character_width=False,
        uncurl_quotes=False,
        fix_line_breaks=True,
        fix_surrogates=True,
        remove_control_chars=True,
        normalization="NFC",
        # Without an explanation ftfy repairs the encoding by its defaults, whatever stands above.
        explain=True,
    )
    fixed = ftfy.fix_and_explain(text, config).text
    kept = "".join(c for c in fixed if c.isspace() or unicodedata.category(c) != "Cc")
    return unicodedata.normalize("NFC", " ".join(kept.split()))


def script(text: str) -> str:
    """The script of most letters, the earlier one on a tie; empty where there are no letters."""
    letters = (unicodedata.name(c, "").split(" ")[0] for c in text if c.isalpha())
    return max(Counter(letters).items(), key=lambda item: item[1], default=("", 0))[0]
