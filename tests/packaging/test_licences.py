from __future__ import annotations

import pytest

from pipeline.packaging.licences import hub_fields, hub_name, lets_copy


@pytest.mark.parametrize(
    ("stated", "named"),
    [
        ("Apache-2.0", "apache-2.0"),
        ("apache 2", "apache-2.0"),
        ("GPL-2", "gpl-2.0"),
        ("GPL-3.0-or-later", "gpl-3.0"),
        ("LGPL-2.1+", "lgpl-2.1"),
        ("CC BY 4.0", "cc-by-4.0"),
        ("MIT", "mit"),
        ("other", None),
        ("the maker's own", None),
    ],
)
def test_licences_are_named_as_the_hub_does(stated: str, named: str | None) -> None:
    assert hub_name(stated) == named


def test_one_that_the_hub_does_not_know_is_other_by_name() -> None:
    own = {"license": "other", "license_name": "the-maker-s-own-1.0"}
    assert hub_fields("The maker's own 1.0") == own
    assert hub_fields("") == {}


def test_copies_are_made_where_the_licence_is_known_to_let_one() -> None:
    assert lets_copy("MIT")
    assert not lets_copy("GPL-2")
    assert not lets_copy("not stated")
