"""From samples and what cleaning left of their assets to components, splits and rejects."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.curation import classes, summary
from pipeline.curation.components import bridges, components, tied_by
from pipeline.curation.options import Options
from pipeline.curation.splits import drawn, first_given, rank
from pipeline.curation.ties import Asset, Tie, ties
from pipeline.errors import PipelineError
from pipeline.records import Reject, Split, TargetKind

Record = dict[str, Any]


@dataclass(frozen=True)
class Curation:
    """Curated records, the refused samples, and a summary that JSON can hold."""

    records: list[Record]
    rejects: list[Reject]
    summary: dict[str, Any]


def curate(
    samples: Sequence[Mapping[str, Any]],
    assets: Mapping[str, Mapping[str, Asset]],
    options: Options,
    targets: Mapping[str, TargetKind],
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
        A component is too large to split, or the splits that the data brings tear one apart.
    """
    ordered = [dict(sample) for sample in sorted(samples, key=lambda s: s["sample_id"])]
    emptied = _empty_refused(ordered, assets)
    rejects: list[Reject] = []
    records = _keep(
        ordered, assets, "no_modality_left", "cleaning refused all its assets", rejects
    )
    records = _keep(
        records, [f"target.{name}" for name in targets], "no_target", "it has no target", rejects
    )

    found = _ties(records, assets, options)
    ranks = {group: rank(seed, group) for group in {_group(record) for record in records}}
    of = components(ranks, found)
    for record in records:
        record["component"] = of[_group(record)]
    _check_share(records, of, found, options.max_component_share)

    given = _split(records, of, found, options, seed)
    tied = {(tie.modality, digest) for tie in found for digest in tie.digests}
    for record in records:
        record["joined_by"] = [
            f"{modality}:{record[modality]}"
            for modality in sorted(assets)
            if (modality, record[modality]) in tied
        ]

    set_aside = _set_aside(records, targets, options.min_components_per_class)
    kept = _keep(
        records,
        [f"target.{name}" for name in targets],
        "rare_class",
        "the classes of all its targets are set aside, having too few components",
        rejects,
    )
    return Curation(
        records=kept,
        rejects=sorted(rejects),
        summary={
            "seed": seed,
            "options": options.model_dump(mode="json"),
            "samples": {
                "in": len(samples),
                "curated": len(kept),
                "rejected": dict(sorted(Counter(reject.reason for reject in rejects).items())),
            },
            "emptied": emptied,
            "groups": len({_group(record) for record in kept}),
            "components": len({record["component"] for record in kept}),
            "splits": summary.by_split(kept),
            "classes": summary.by_class(kept, targets),
            "set_aside": set_aside,
            "given": given,
            "ties": summary.by_tie(found),
            "largest": summary.largest(kept, of, found),
        },
    )


def _group(record: Mapping[str, Any]) -> str:
    """A group's name, told apart from another source's; sources have no slash in theirs."""
    return f"{record['source']}/{record['group']}"


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


def _keep(
    records: Sequence[Record],
    columns: Sequence[str] | Mapping[str, Any],
    reason: str,
    message: str,
    rejects: list[Reject],
) -> list[Record]:
    """The records with a value in any of these columns; the others join the rejects."""
    kept = []
    for record in records:
        if not columns or any(record[column] is not None for column in columns):
            kept.append(record)
        else:
            source, batch, subject = record["source"], record["batch"], record["sample_id"]
            rejects.append(
                Reject("curate", source, batch, "sample", subject, "", reason, message)
            )
    return kept


def _ties(
    records: Sequence[Record], assets: Mapping[str, Mapping[str, Asset]], options: Options
) -> list[Tie]:
    found = []
    for modality, cleaned in sorted(assets.items()):
        holders: dict[str, set[str]] = defaultdict(set)
        for record in records:
            if record[modality] is not None:
                holders[record[modality]].add(_group(record))
        how = options.join(modality)
        found += ties(
            modality, holders, cleaned, how, options.near_bits, options.min_set_bits
        )
    return found


def _check_share(
    records: Sequence[Record], of: Mapping[str, str], found: Sequence[Tie], limit: float
) -> None:
    groups = Counter(of.values())
    for component, size in Counter(record["component"] for record in records).most_common():
        if size > limit * len(records) and groups[component] > 1:
            raise PipelineError(
                f"curate: one component holds {size} of {len(records)} samples in "
                f"{groups[component]} groups; the limit is {limit:.0%} of the samples "
                f"(curate.max_component_share).\n"
                f"It is tied by: {tied_by(bridges(component, of, found))}.\n"
                f"Lower curate.near_bits, set curate.join_on to equal or none for that modality, "
                f"take the assets out, or raise the limit."
            )


def _split(
    records: Sequence[Record],
    of: Mapping[str, str],
    found: Sequence[Tie],
    options: Options,
    seed: int,
) -> dict[str, int]:
    """Give each record its split; how many splits that the data brings were kept and changed.

    A sample without a given split follows its component's.
    """
    given: dict[str, dict[Split, set[str]]] = defaultdict(lambda: defaultdict(set))
    for record in records:
        if record["split_given"] is not None:
            given[record["component"]][record["split_given"]].add(_group(record))
    torn = {name: splits for name, splits in sorted(given.items()) if len(splits) > 1}
    if torn and options.on_leak == "fail":
        raise PipelineError(_torn(torn, of, found))
    taken = {
        name: first_given(given[name]) if name in given else drawn(seed, name, options.ratios)
        for name in set(of.values())
    }
    counts = {"kept": 0, "followed": 0, "regrouped": 0, "regrouped_components": len(torn)}
    for record in records:
        record["split"] = taken[record["component"]]
        if record["split_given"] is not None:
            counts["kept" if record["split"] == record["split_given"] else "regrouped"] += 1
        elif record["component"] in given:
            counts["followed"] += 1
    return counts


def _torn(
    torn: Mapping[str, Mapping[Split, set[str]]], of: Mapping[str, str], found: Sequence[Tie]
) -> str:
    lines = []
    for component, splits in list(torn.items())[:5]:
        sides = "; ".join(f"{name}: {', '.join(sorted(splits[name])[:3])}" for name in sorted(splits))
        by = tied_by(bridges(component, of, found)) or "nothing else: it is one group"
        lines.append(f"  {component} ({sides}), tied by {by}")
    return "\n".join(
        [
            f"curate: the splits that the data brings tear {len(torn)} components apart:",
            *lines,
            "Correct split_given, or set curate.on_leak to regroup.",
        ]
    )


def _set_aside(
    records: Sequence[Record], targets: Mapping[str, TargetKind], min_components: int
) -> dict[str, dict[str, dict[str, int]]]:
    """Empty the targets of rare classes; target → class → samples and components it had."""
    counted = classes.census(records, targets)
    result: dict[str, dict[str, dict[str, int]]] = {}
    for target, names in classes.rare(counted, min_components).items():
        sizes: Counter[str] = Counter()
        for record in records:
            value = record[f"target.{target}"]
            if value in names:
                record[f"target.{target}"] = None
                sizes[value] += 1
        result[target] = {
            name: {
                "samples": sizes[name],
                "components": sum(map(len, counted[target][name].values())),
            }
            for name in sorted(names)
        }
    return result
