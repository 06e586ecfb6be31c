"""Classes with too few components to learn from or to measure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.core.registry import load

# Target → class → split → components.
ClassCounts = dict[str, dict[str, dict[str, set[str]]]]


def count_classes(records: Sequence[Mapping[str, Any]], targets: Mapping[str, str]) -> ClassCounts:
    """Who has which class, for the targets that have one class per sample."""
    counts: ClassCounts = {}
    classified = [name for name, kind in targets.items() if load("models/tasks", kind).ONE_CLASS]
    for target in sorted(classified):
        classes: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for record in records:
            value = record[f"target.{target}"]
            if value is not None:
                classes[value][record["split"]].add(record["component"])
        counts[target] = dict(sorted(classes.items()))
    return counts


def drop_rare_classes(
    records: Sequence[dict[str, Any]], targets: Mapping[str, str], min_components: int
) -> dict[str, dict[str, dict[str, int]]]:
    """Empty the targets of classes with fewer components than that, or with none in train.

    A sample keeps its other targets. Returns target → class → samples and components it had.
    """
    dropped: dict[str, dict[str, dict[str, int]]] = {}
    for target, classes in count_classes(records, targets).items():
        components = {name: sum(map(len, splits.values())) for name, splits in classes.items()}
        rare = [
            name
            for name, splits in classes.items()
            if components[name] < min_components or not splits.get("train")
        ]
        samples = Counter(record[f"target.{target}"] for record in records)
        dropped[target] = {
            name: {"samples": samples[name], "components": components[name]} for name in rare
        }
        for record in records:
            if record[f"target.{target}"] in dropped[target]:
                record[f"target.{target}"] = None
    return dropped
