"""What differs between two functions is said in words, whoever asks."""

from __future__ import annotations

from dataclasses import asdict

from pipeline.parts.fingerprint import Fingerprint
from pipeline.parts.fingerprint_diff import differences

ONE = asdict(
    Fingerprint("extract/mfcc", {"bands": 64, "low": {"hz": 20}}, {"a": "1", "b": "1"},
                {"w.onnx": "1"}, {"numpy": "1.0"}, "3.12", "any")
)  # fmt: skip
OTHER = asdict(
    Fingerprint("extract/logmel", {"bands": 80, "low": {}}, {"a": "2", "c": "1"},
                {}, {"numpy": "2.0"}, "3.13", "another")
)  # fmt: skip


def test_equal_functions_differ_in_nothing() -> None:
    assert differences(ONE, ONE) == []


def test_where_nothing_was_made_that_alone_is_said() -> None:
    assert differences({}, ONE) == ["nothing was made here yet"]


def test_each_thing_that_differs_is_a_sentence() -> None:
    assert differences(ONE, OTHER) == [
        "function: extract/mfcc → extract/logmel",
        "parameter bands: 64 → 80",
        "parameter low.hz: 20 → absent",
        "module a changed",
        "module b gone",
        "module c new",
        "weights w.onnx gone",
        "library numpy: 1.0 → 2.0",
        "Python version: 3.12 → 3.13",
        "processor: any → another",
    ]
