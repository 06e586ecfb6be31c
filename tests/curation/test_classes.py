from __future__ import annotations

from pipeline.curation.classes import count_classes, drop_rare_classes

TARGETS: dict[str, str] = {"category": "multiclass", "mood": "regression"}


def row(category: str | None, component: str, split: str = "train") -> dict[str, object]:
    return {
        "target.category": category,
        "target.mood": 0.5,
        "component": component,
        "split": split,
    }


def test_a_census_counts_components_and_not_samples() -> None:
    rows = [row("cat", "a"), row("cat", "a"), row("cat", "b", "test"), row(None, "c")]
    assert count_classes(rows, TARGETS) == {"category": {"cat": {"train": {"a"}, "test": {"b"}}}}


def test_classes_of_few_components_are_emptied_and_counted() -> None:
    rows = [*(row("cat", str(n)) for n in range(3)), row("dog", "a"), row("dog", "b", "test")]
    assert drop_rare_classes(rows, TARGETS, 3) == {
        "category": {"dog": {"samples": 2, "components": 2}}
    }
    assert [r["target.category"] for r in rows] == ["cat"] * 3 + [None] * 2
    assert all(r["target.mood"] == 0.5 for r in rows)


def test_a_class_that_train_lacks_cannot_be_learnt() -> None:
    rows = [row("cat", str(n), "test") for n in range(5)]
    assert drop_rare_classes(rows, TARGETS, 1) == {
        "category": {"cat": {"samples": 5, "components": 5}}
    }


def test_nothing_is_set_aside_where_all_have_enough() -> None:
    rows = [row("cat", str(n)) for n in range(3)]
    assert drop_rare_classes(rows, TARGETS, 3) == {"category": {}}
