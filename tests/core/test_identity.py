"""Two spellings of one name are one; what may be two is told."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.identity import alike, canonical


@pytest.mark.parametrize(
    ("spellings", "name"),
    [
        ((5, 5.0, decimal.Decimal("5.00"), "5", " 5\u00a0"), "5"),
        ((0, 0.0, -0.0, decimal.Decimal("-0.0")), "0"),
        ((0.1, decimal.Decimal("0.10"), "0.1"), "0.1"),
        ((1e20, 10**20), "100000000000000000000"),
        ((True, "True", "TRUE", " true "), "true"),
        ((False, "false", "False"), "false"),
        (("Zo\u00eb", "Zoe\u0308", "Zo\u00eb\u2003", "Zo\u00eb".encode()), "Zo\u00eb"),
        (("cat", "cat ", "cat\u00a0", "\tcat\n"), "cat"),
        ((datetime.date(2020, 1, 2), datetime.datetime(2020, 1, 2), "2020-01-02"), "2020-01-02"),
        ((datetime.datetime(2020, 1, 2, 3), "2020-01-02 03:00:00"), "2020-01-02 03:00:00"),
        (("", " ", "\u00a0"), ""),
        ((float("inf"),), "inf"),
    ],
)
def test_one_thing_has_one_name(spellings: tuple[Any, ...], name: str) -> None:
    assert {canonical(spelling) for spelling in spellings} == {name}


@pytest.mark.parametrize(
    "text", ["007", "NA", "1e5", "5.0", "None", "nan", "1,5", "+1", "New  York"]
)
def test_what_text_states_is_kept(text: str) -> None:
    assert canonical(text) == text


@given(
    st.one_of(st.text(), st.floats(), st.integers(), st.booleans(), st.decimals(allow_nan=False))
)
def test_a_name_is_its_own_name(value: Any) -> None:
    assert canonical(canonical(value)) == canonical(value)


def test_names_that_differ_by_case_blanks_or_numbers_are_alike() -> None:
    names = [
        "Cat", "cat", "c at", "dog", "5", "5.0", "05", "5e0", "6", "-0", "0.00", "New York",
        "New\u00a0York", "new\u200byork", "\uff21nn", "ann", "Stra\u00dfe", "STRASSE", "e5", "E5",
        "", "1.5.0", "1.50", "1.5",
    ]  # fmt: skip
    assert alike(names) == [
        ["-0", "0.00"],
        ["05", "5", "5.0", "5e0"],
        ["1.5", "1.50"],
        ["Cat", "c at", "cat"],
        ["E5", "e5"],
        ["New York", "New\u00a0York", "new\u200byork"],
        ["STRASSE", "Stra\u00dfe"],
        ["ann", "\uff21nn"],
    ]
    assert alike(["a", "a", "b"]) == []


def test_long_numbers_are_alike_by_their_digits() -> None:
    first, second = "9" * 40, "9" * 39 + "8"
    assert alike([first, second, "1e999"]) == []
