"""Numbers, names and digests as a person reads them."""

from __future__ import annotations

import re
from collections.abc import Sequence


def percent(value: float) -> str:
    """A share from 0 to 1 in per cent: 0.7123 → "71.2"."""
    return f"{100 * value:.1f}".replace("-", "\N{MINUS SIGN}")


def amount(value: float, share: bool = True) -> str:
    """A share in per cent, anything else with four digits."""
    return percent(value) if share else f"{value:.4g}".replace("-", "\N{MINUS SIGN}")


def points(value: float) -> str:
    """A difference of shares in percentage points, with its sign: 0.052 → "+5.2"."""
    text = f"{100 * value:+.1f}"
    return "0.0" if text in {"+0.0", "-0.0"} else text.replace("-", "\N{MINUS SIGN}")


def count(value: float) -> str:
    """A whole number with thin spaces between thousands: 12345 → "12 345"."""
    return f"{int(value):,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def size(value: int) -> str:
    """Bytes in decimal units: 1234567 → "1.2 MB"."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if value >= scale:
            return f"{value / scale:.1f} {unit}"
    return f"{value} B"


def listed(names: Sequence[str], last: str = "and") -> str:
    """Names as a phrase: "image, audio and text"."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"


def humanize(name: str) -> str:
    """A name from the params as words: "early_fusion" → "early fusion"."""
    return name.replace("_", " ")


def shortened(text: str, limit: int) -> str:
    """At most `limit` characters, the cut marked."""
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def language_tag(value: str | None) -> str | None:
    """A BCP 47 tag for the `lang` attribute ("pt_BR" → "pt-BR"), or None if it is not one."""
    tag = (value or "").replace("_", "-")
    return tag if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", tag) else None
