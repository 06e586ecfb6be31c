"""Groups that ties join, directly or through others, form a component."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.curation.duplicate_links import DuplicateLink


def connected_components(rank: Mapping[str, int], links: Iterable[DuplicateLink]) -> dict[str, str]:
    """Each group's component, named by the lowest-ranked group in it (union-find).

    Parameters
    ----------
    rank:
        Group → its place; every group has one. Equal ranks are told apart by name.
    """
    parent = {group: group for group in rank}

    def root(group: str) -> str:
        while parent[group] != group:
            parent[group] = group = parent[parent[group]]
        return group

    for link in links:
        for other in link.groups[1:]:
            low, high = sorted((root(link.groups[0]), root(other)), key=lambda g: (rank[g], g))
            parent[high] = low
    return {group: root(group) for group in rank}


def check_share(
    records: Sequence[Mapping[str, Any]],
    component_of: Mapping[str, str],
    links: Sequence[DuplicateLink],
    limit: float,
) -> None:
    """PipelineError if several groups make a component of more than `limit` of the samples."""
    groups = Counter(component_of.values())
    samples = Counter(record["component"] for record in records)
    for component, size in sorted(samples.items(), key=lambda item: (-item[1], item[0])):
        if size > limit * len(records) and groups[component] > 1:
            raise PipelineError(
                f"curate: the component {component} holds {size} of {len(records)} samples "
                f"({size / len(records):.1%}) in {groups[component]} groups; the limit, "
                f"curate.max_component_share, is {limit:.1%}.\n"
                f"It is tied by {describe_links(linking_assets(component, component_of, links))}.\n"
                f"Lower curate.near_bits, set that modality's curate.join_on to equal or none, "
                f"mend the data, or raise the limit."
            )


def linking_assets(
    component: str, component_of: Mapping[str, str], links: Iterable[DuplicateLink]
) -> dict[str, list[str]]:
    """The assets that tie a component, as `modality:digest` → groups, most joining first."""
    joined: dict[str, set[str]] = defaultdict(set)
    for link in links:
        if component_of[link.groups[0]] == component:
            for digest in link.digests:
                joined[f"{link.modality}:{digest}"] |= set(link.groups)
    ordered = sorted(joined, key=lambda asset: (-len(joined[asset]), asset))
    return {asset: sorted(joined[asset]) for asset in ordered}


def describe_links(assets: Mapping[str, list[str]], limit: int = 5) -> str:
    """A sentence's end for people: the first few bridges and what they join."""
    descriptions = [
        f"{asset} joins {len(groups)} groups ({_few(groups)})"
        for asset, groups in list(assets.items())[:limit]
    ]
    more = len(assets) - limit
    return "; ".join([*descriptions, *([f"and {more} more"] if more > 0 else [])])


def _few(names: list[str]) -> str:
    return ", ".join([*names[:3], *(["…"] if len(names) > 3 else [])])
