"""Classes with too few components to learn from or to measure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.records import TargetKind

CLASSIFIED: tuple[TargetKind, ...] = ("binary", "multiclass", "ordinal")


def census(
    records: Sequence[Mapping[str, Any]], targets: Mapping[str, TargetKind]
) -> dict[str, dict[str, dict[str, set[str]]]]:
    """Target → class → split → components, for the targets that have one class a sample."""
    found: dict[str, dict[str, dict[str, set[str]]]] = {}
    for target in sorted(name for name, kind in targets.items() if kind in CLASSIFIED):
        classes: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for record in records:
            value = record[f"target.{target}"]
            if value is not None:
                classes[value][record["split"]].add(record["component"])
        found[target] = {name: dict(splits) for name, splits in sorted(classes.items())}
    return found


def rare(
    counted: Mapping[str, Mapping[str, Mapping[str, set[str]]]], min_components: int
) -> dict[str, set[str]]:
    """Target → classes with fewer components than `min_components`, or with none in train."""
    return {
        target: {
            name
            for name, splits in classes.items()
            if sum(map(len, splits.values())) < min_components or not splits.get("train")
        }
        for target, classes in counted.items()
    }
