"""When two spellings name one thing: the single form that ids, groups, labels and columns take.

Text keeps what it says, in NFC and without blanks at its ends: "007", "NA" and "1e5" stay as they
are, and "5.0" in a CSV is not "5". Where a table has types, a number without a fraction is written
as a whole one, whatever its type (5.0 of a Parquet column is `5`), and others by the fewest digits
that tell them apart. Truth is `true` or `false`, also where text spells it `True` or `FALSE`.

What differs after that by case, blanks or the form of a number are two names; `alike` tells them.
"""

from __future__ import annotations

import datetime
import decimal
import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
DIGITS = 28  # that a Decimal keeps; longer ones name things
TRUTH = ("true", "false")


def canonical(value: Any) -> str:
    """A cell as the name of something; empty where it names nothing.

    Bytes are UTF-8, what is not of it by surrogate escapes, as in text.
    """
    if isinstance(value, bytes):
        value = value.decode(errors="surrogateescape")
    if isinstance(value, bool):
        return TRUTH[not value]
    if isinstance(value, float | decimal.Decimal):
        return _number(value)
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return str(value).partition(" ")[0] if value.tzinfo is None else str(value)
    text = unicodedata.normalize("NFC", str(value)).strip()
    return text.lower() if text.lower() in TRUTH else text


def column_name(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip()


def alike(names: Iterable[str]) -> list[list[str]]:
    """The names of several that may be one: they differ by case, blanks or the form of a number.

    Letters that only look different, such as full-width ones and ligatures, count as equal, and
    characters without width as blanks. All sorted.
    """
    spellings = defaultdict(set)
    for name in names:
        spellings[_skeleton(name)].add(name)
    return sorted(sorted(several) for several in spellings.values() if len(several) > 1)


def _number(value: float | decimal.Decimal) -> str:
    if not math.isfinite(value):
        return str(float(value))
    if value == int(value):
        return str(int(value))
    if isinstance(value, decimal.Decimal):
        return format(value.normalize(), "f")
    return repr(value)


def _skeleton(name: str) -> str:
    """What names have in common that differ by case, blanks or the form of a number alone."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    bare = "".join(c for c in folded if not c.isspace() and unicodedata.category(c) != "Cf")
    if len(bare) <= DIGITS and NUMBER.fullmatch(bare):
        return f"{decimal.Decimal(bare).normalize() + 0:f}"
    return bare
