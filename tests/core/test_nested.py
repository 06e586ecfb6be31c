from __future__ import annotations

from pipeline.core.nested import leaves


def test_mappings_become_pairs() -> None:
    nested = {"a": {"b": {"c": 1}, "none": {}}, "d": [2]}
    assert list(leaves(nested)) == [("a.b.c", 1), ("d", [2])]
