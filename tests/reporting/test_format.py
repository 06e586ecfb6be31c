"""Numbers and names as a person reads them."""

from __future__ import annotations

import pytest

from pipeline.reporting import format as f


def test_numbers() -> None:
    assert f.percent(0.71249) == "71.2"
    assert [f.points(v) for v in (0.052, -0.031, -0.0001)] == ["+5.2", "\N{MINUS SIGN}3.1", "0.0"]
    assert f.count(1234567).split("\N{NARROW NO-BREAK SPACE}") == ["1", "234", "567"]
    assert [f.size(v) for v in (12, 3400, 5_600_000, 7_800_000_000)] == [
        "12 B",
        "3.4 kB",
        "5.6 MB",
        "7.8 GB",
    ]


def test_phrases() -> None:
    assert [f.listed(list("abc")[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert f.shortened("abcdef", 4) == "abc…"
    assert f.shortened("abcd", 4) == "abcd"


@pytest.mark.parametrize(
    ("value", "tag"),
    [("pt_BR", "pt-BR"), ("en", "en"), ("zh_Hant_TW", "zh-Hant-TW"), (None, None), ("", None),
     ("no language", None), ('en" onload="', None)],
)  # fmt: skip
def test_only_language_tags_become_attributes(value: str | None, tag: str | None) -> None:
    assert f.language_tag(value) == tag
