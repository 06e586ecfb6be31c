"""From samples and what cleaning left of their assets to components, splits and rejects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.records import UNLABELLED, Reject
from pipeline.curation import summary
from pipeline.curation.balanced_splits import balanced_splits, landing_ranks
from pipeline.curation.classes import count_classes, drop_rare_classes
from pipeline.curation.components import check_share, connected_components
from pipeline.curation.duplicate_links import Asset, DuplicateLink, duplicate_links, group_of
from pipeline.curation.given_splits import assign_splits
from pipeline.curation.hashed_splits import group_rank, hash_split
from pipeline.curation.options import CurationOptions

Record = dict[str, Any]


@dataclass(frozen=True)
class Curation:
    """Curated records by sample id, the refused samples, and a summary that JSON can hold."""

    records: list[Record]
    rejects: list[Reject]
    summary: dict[str, Any]


def curate(
    samples: Iterable[Mapping[str, Any]],
    assets: Mapping[str, Mapping[str, Asset]],
    options: CurationOptions,
    targets: Mapping[str, str],
    seed: int,
) -> Curation:
    """Curate all samples at once; the result depends on their set alone, not on their order.

    Parameters
    ----------
    samples:
        Rows of the samples table.
    assets:
        Modality → digest → cleaned asset. A digest that is missing was refused by cleaning.

    Raises
    ------
    PipelineError
        A component is too large to split, the splits that the data brings tear one apart, or no
        sample has a target.
    """
    records = [dict(sample) for sample in sorted(samples, key=lambda row: row["sample_id"])]
    labels = [f"target.{name}" for name in sorted(targets)]
    emptied = _empty_refused(records, assets)
    present, without_modality = _keep_with_value(
        records, sorted(assets), "no_modality_left", "cleaning refused all its assets"
    )
    labelled, unlabelled = _keep_with_value(present, labels, UNLABELLED, "it has no target")
    if present and not labelled:
        raise PipelineError(
            "no sample has a target, so that there is nothing to learn: see `targets` and the "
            "columns of your sources"
        )
    links = duplicate_links(labelled, assets, options)
    balanced = options.splits == "balanced"
    ranks = (
        landing_ranks(labelled, seed)
        if balanced
        else {group: group_rank(seed, group) for group in map(group_of, labelled)}
    )
    component_of = _join_components(labelled, sorted(assets), links, ranks)
    check_share(labelled, component_of, links, options.max_component_share)
    drawn = (
        balanced_splits(labelled, links, ranks, sorted(assets), targets, options.ratios)
        if balanced
        else {name: hash_split(seed, name, options.ratios) for name in set(component_of.values())}
    )
    given = assign_splits(labelled, component_of, links, options, drawn)
    set_aside = drop_rare_classes(labelled, targets, options.min_components_per_class)
    kept, rare = _keep_with_value(
        labelled, labels, "rare_class", "its classes have too few components and are set aside"
    )
    class_counts = count_classes(kept, targets)
    rejects = sorted([*without_modality, *unlabelled, *rare])
    keyed = options.model_dump(mode="json", exclude={"max_component_share", "reject_limit"})
    counts = {
        "seed": seed,
        "options": keyed,
        "samples": {
            "in": len(records),
            "curated": len(kept),
            "rejected": dict(Counter(reject.reason for reject in rejects)),
        },
        "emptied": emptied,
        "groups": len(set(map(group_of, kept))),
        "components": len({record["component"] for record in kept}),
        "splits": summary.count_by_split(kept),
        "warnings": [
            *summary.unlabelled_warnings(unlabelled, len(records)),
            *summary.warnings(kept, sorted(assets), class_counts, options),
        ],
        "classes": summary.count_by_class(kept, class_counts),
        "set_aside": set_aside,
        "given": given,
        "ties": summary.count_links(links),
        "largest": summary.largest_components(kept, component_of, links),
    }
    return Curation(kept, rejects, counts)


def _join_components(
    records: Sequence[Record],
    modalities: Sequence[str],
    links: Sequence[DuplicateLink],
    ranks: Mapping[str, int],
) -> dict[str, str]:
    """Set each record's `component` and the assets that it is `joined_by`; group → component."""
    component_of = connected_components(ranks, links)
    joining = {(link.modality, digest) for link in links for digest in link.digests}
    for record in records:
        record["component"] = component_of[group_of(record)]
        record["joined_by"] = [
            f"{modality}:{record[modality]}"
            for modality in modalities
            if (modality, record[modality]) in joining
        ]
    return component_of


def _empty_refused(
    records: Sequence[Record], assets: Mapping[str, Mapping[str, Asset]]
) -> dict[str, int]:
    """Take out the digests of refused assets; modality → samples that lost it."""
    emptied = dict.fromkeys(sorted(assets), 0)
    for modality, cleaned in assets.items():
        for record in records:
            if record[modality] is not None and record[modality] not in cleaned:
                record[modality] = None
                emptied[modality] += 1
    return emptied


def _keep_with_value(
    records: Sequence[Record], columns: Sequence[str], reason: str, message: str
) -> tuple[list[Record], list[Reject]]:
    """The records with a value in one of the columns, and the others, refused.

    Where there are no such columns (a data set without targets), all pass.
    """
    kept, refused = [], []
    for record in records:
        if not columns or any(record[column] is not None for column in columns):
            kept.append(record)
        else:
            where = record["source"], record["batch"]
            refused.append(
                Reject("curate", *where, "sample", record["sample_id"], "", reason, message)
            )
    return kept, refused
