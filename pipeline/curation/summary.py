"""What curation did, in figures: deterministic, versioned, read by people and the report."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.core.records import MIN_COMPONENTS, SPLITS, Reject
from pipeline.curation.classes import ClassCounts
from pipeline.curation.components import linking_assets
from pipeline.curation.duplicate_links import DuplicateLink, group_of
from pipeline.curation.options import CurationOptions

# How many of the largest components are shown, and how many members and ties of each.
MOST_LISTED = 5

Records = Sequence[Mapping[str, Any]]


def count_by_split(records: Records) -> dict[str, dict[str, int | float]]:
    """Split → samples, groups, components, and its share of the samples."""
    result: dict[str, dict[str, int | float]] = {}
    for split in SPLITS:
        inside = [record for record in records if record["split"] == split]
        result[split] = {
            "samples": len(inside),
            "groups": len({group_of(record) for record in inside}),
            "components": len({record["component"] for record in inside}),
            "share": round(len(inside) / max(len(records), 1), 4),
        }
    return result


def warnings(
    records: Records, modalities: Iterable[str], counted: ClassCounts, options: CurationOptions
) -> list[str]:
    """What the splits are too small or too unlike to tell, a sentence each."""
    sentences = []
    total = len(records)
    splits_by_modality = {name: _splits_with(records, name) for name in modalities}
    for split, counts in count_by_split(records).items():
        ratio = getattr(options.ratios, split)
        if not ratio or not total:
            continue
        if counts["components"] < MIN_COMPONENTS:
            sentences.append(
                f"{split} has {counts['components']} components, and figures of fewer than "
                f"{MIN_COMPONENTS} have no interval"
            )
        if not ratio / 2 <= counts["share"] <= 2 * ratio:
            named = sum(r["split"] == split == r["split_given"] for r in records)
            sentences.append(
                f"{split} has {counts['share']:.1%} of the samples, where ratios say {ratio:.0%}"
                + (f"; the data names it for {named} of its {counts['samples']}" if named else "")
            )
        sentences += [
            f"{split} has no sample with {name}: models that read {name} alone have no figures"
            for name, splits in splits_by_modality.items()
            if splits and split not in splits
        ]
        for target, classes in counted.items():
            absent = [name for name, splits in classes.items() if not splits.get(split)]
            if absent:
                more = ["…"] if len(absent) > MOST_LISTED else []
                listed = ", ".join([*absent[:MOST_LISTED], *more])
                lacked = f"{len(absent)} of the {len(classes)} classes of {target}"
                sentences.append(f"{split} lacks {lacked}: {listed}")
    if sentences and options.splits == "hashed":
        sentences.append("curate.splits: balanced evens out what few components leave to chance")
    return sentences


def unlabelled_warnings(unlabelled: Sequence[Reject], total: int) -> list[str]:
    """What samples without a target are left out, in a sentence with an example; none if none."""
    if not unlabelled:
        return []
    first = min(unlabelled).subject
    return [
        f"{len(unlabelled):,} of {total:,} samples have no target and are left out, such as {first}"
    ]


def _splits_with(records: Records, modality: str) -> set[str]:
    return {record["split"] for record in records if record[modality] is not None}


def count_by_class(records: Records, counted: ClassCounts) -> dict[str, Any]:
    """Target → class → split → samples and components."""
    result: dict[str, Any] = {}
    for target, classes in counted.items():
        samples = Counter((record[f"target.{target}"], record["split"]) for record in records)
        result[target] = {
            name: {
                split: {
                    "samples": samples[name, split],
                    "components": len(splits.get(split, ())),
                }
                for split in SPLITS
            }
            for name, splits in classes.items()
        }
    return result


def largest_components(
    records: Records, component_of: Mapping[str, str], links: Sequence[DuplicateLink]
) -> list[dict[str, Any]]:
    """The components of most samples, and the assets that join most groups of each."""
    samples = Counter(record["component"] for record in records)
    members = defaultdict(list)
    for group in sorted(component_of):
        members[component_of[group]].append(group)
    ordered = sorted(samples, key=lambda name: (-samples[name], name))
    return [
        {
            "component": name,
            "samples": samples[name],
            "share": round(samples[name] / len(records), 4),
            "groups": len(members[name]),
            "members": members[name][:MOST_LISTED],
            "tied_by": [
                {"asset": asset, "groups": len(groups)}
                for asset, groups in list(linking_assets(name, component_of, links).items())[
                    :MOST_LISTED
                ]
            ],
        }
        for name in ordered[:MOST_LISTED]
    ]


def count_links(links: Sequence[DuplicateLink]) -> dict[str, dict[str, int]]:
    """Modality → number of ties that are equal and near."""
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for link in links:
        counted[link.modality][link.how] += 1
    return {name: dict(sorted(kinds.items())) for name, kinds in sorted(counted.items())}
