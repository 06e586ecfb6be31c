from __future__ import annotations

from pipeline.core.nested import flatten


def test_mappings_become_pairs() -> None:
    nested = {"a": {"b": {"c": 1}, "none": {}}, "d": [2]}
    assert list(flatten(nested)) == [("a.b.c", 1), ("d", [2])]
