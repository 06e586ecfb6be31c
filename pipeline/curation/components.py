"""Groups that ties join, directly or through others, form a component."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from pipeline.curation.ties import Tie


def components(rank: Mapping[str, int], ties: Iterable[Tie]) -> dict[str, str]:
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

    for tie in ties:
        for other in tie.groups[1:]:
            low, high = sorted((root(tie.groups[0]), root(other)), key=lambda g: (rank[g], g))
            parent[high] = low
    return {group: root(group) for group in rank}


def bridges(component: str, of: Mapping[str, str], ties: Iterable[Tie]) -> dict[str, list[str]]:
    """The assets that tie a component, as `modality:digest` → groups, most joining first."""
    joined = defaultdict(set)
    for tie in ties:
        if of[tie.groups[0]] == component:
            for digest in tie.digests:
                joined[f"{tie.modality}:{digest}"] |= set(tie.groups)
    ordered = sorted(joined, key=lambda asset: (-len(joined[asset]), asset))
    return {asset: sorted(joined[asset]) for asset in ordered}


def tied_by(assets: Mapping[str, list[str]], limit: int = 5) -> str:
    """A sentence's end for people: the first few bridges and what they join."""
    shown = [
        f"{asset} joins {len(groups)} groups ({_few(groups)})"
        for asset, groups in list(assets.items())[:limit]
    ]
    more = len(assets) - limit
    return "; ".join([*shown, *([f"and {more} more"] if more > 0 else [])])


def _few(names: list[str]) -> str:
    return ", ".join([*names[:3], *(["…"] if len(names) > 3 else [])])
