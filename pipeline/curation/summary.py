"""What curation did, in figures: deterministic, versioned, read by people and the report."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.curation.classes import census
from pipeline.curation.components import bridges
from pipeline.curation.ties import Tie
from pipeline.records import SPLITS, TargetKind

LARGEST = 5


def by_split(records: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int | float]]:
    """Split → samples, groups, components, and its share of the samples."""
    result: dict[str, dict[str, int | float]] = {}
    for split in SPLITS:
        inside = [record for record in records if record["split"] == split]
        result[split] = {
            "samples": len(inside),
            "groups": len({(record["source"], record["group"]) for record in inside}),
            "components": len({record["component"] for record in inside}),
            "share": round(len(inside) / max(len(records), 1), 4),
        }
    return result


def by_class(
    records: Sequence[Mapping[str, Any]], targets: Mapping[str, TargetKind]
) -> dict[str, dict[str, dict[str, dict[str, int]]]]:
    """Target → class → split → samples and components."""
    return {
        target: {
            name: {
                split: {
                    "samples": sum(
                        record["split"] == split and record[f"target.{target}"] == name
                        for record in records
                    ),
                    "components": len(splits.get(split, ())),
                }
                for split in SPLITS
            }
            for name, splits in classes.items()
        }
        for target, classes in census(records, targets).items()
    }


def largest(
    records: Sequence[Mapping[str, Any]], of: Mapping[str, str], ties: Sequence[Tie]
) -> list[dict[str, Any]]:
    """The components of most samples, and the assets that tie each."""
    samples = Counter(record["component"] for record in records)
    members = defaultdict(list)
    for group in sorted(of):
        members[of[group]].append(group)
    ordered = sorted(samples, key=lambda name: (-samples[name], name))[:LARGEST]
    return [
        {
            "component": name,
            "samples": samples[name],
            "share": round(samples[name] / len(records), 4),
            "groups": members[name],
            "tied_by": {
                asset: len(groups)
                for asset, groups in list(bridges(name, of, ties).items())[:LARGEST]
            },
        }
        for name in ordered
    ]


def by_tie(ties: Sequence[Tie]) -> dict[str, dict[str, int]]:
    """Modality → ties by kind."""
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for tie in ties:
        counted[tie.modality][tie.how] += 1
    return {name: dict(sorted(kinds.items())) for name, kinds in sorted(counted.items())}
