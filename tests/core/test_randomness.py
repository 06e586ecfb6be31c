from __future__ import annotations

from pipeline.core.randomness import entropy, generator


def test_streams_are_equal_for_equal_purposes_alone() -> None:
    one = generator(7, "augment", "abc", 1).random(4).tolist()
    assert one == generator(7, "augment", "abc", 1).random(4).tolist()
    others = [
        generator(*purpose).random(4).tolist()
        for purpose in [
            (8, "augment", "abc", 1),
            (7, "augment", "abc", 2),
            (7, "augment", "abd", 1),
        ]
    ]
    assert one not in others


def test_purposes_do_not_run_together() -> None:
    assert entropy(1, "ab", "c") != entropy(1, "a", "bc")


def test_entropy_never_changes() -> None:
    # A pinned value: recipes drawn last year must be the recipes drawn today.
    assert entropy(0, "purpose", 1) == 0xDF9D67BC39FC6476AC30C335F0A3A7A4
