"""The splits that the data brings, which go before those that curation draws."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.records import Split
from pipeline.curation.components import describe_links, linking_assets
from pipeline.curation.duplicate_links import DuplicateLink, group_of
from pipeline.curation.hashed_splits import first_given
from pipeline.curation.options import CurationOptions

# Component → split → groups to which the data brings it.
GivenSplits = Mapping[str, Mapping[Split, set[str]]]


def assign_splits(
    records: Sequence[dict[str, Any]],
    component_of: Mapping[str, str],
    links: Sequence[DuplicateLink],
    options: CurationOptions,
    drawn: Mapping[str, Split],
) -> dict[str, int]:
    """Set each record's `split`; returns how many given splits were kept, changed and followed.

    A component without a given split takes that of `drawn`, by its name. One with a given split
    takes that, samples without any following it.

    Raises
    ------
    PipelineError
        A component has several given splits, and `on_leak` is `fail`.
    """
    given = _given_splits(records)
    split_apart = {name: splits for name, splits in sorted(given.items()) if len(splits) > 1}
    if split_apart and options.on_leak == "fail":
        raise PipelineError(_split_apart_message(split_apart, component_of, links))
    split_of = {
        name: first_given(given[name]) if name in given else drawn[name]
        for name in set(component_of.values())
    }
    counts = {"kept": 0, "regrouped": 0, "followed": 0, "regrouped_components": len(split_apart)}
    for record in records:
        record["split"] = split_of[record["component"]]
        if record["split_given"] is not None:
            counts["kept" if record["split"] == record["split_given"] else "regrouped"] += 1
        elif record["component"] in given:
            counts["followed"] += 1
    return counts


def _given_splits(records: Sequence[Mapping[str, Any]]) -> GivenSplits:
    given: dict[str, dict[Split, set[str]]] = defaultdict(lambda: defaultdict(set))
    for record in records:
        if record["split_given"] is not None:
            given[record["component"]][record["split_given"]].add(group_of(record))
    return given


def _split_apart_message(
    components: GivenSplits,
    component_of: Mapping[str, str],
    links: Sequence[DuplicateLink],
    limit: int = 5,
) -> str:
    lines = []
    for component, splits in list(components.items())[:limit]:
        sides = "; ".join(f"{name}: {', '.join(sorted(splits[name])[:3])}" for name in splits)
        tied = (
            describe_links(linking_assets(component, component_of, links))
            or "nothing but being one group"
        )
        lines.append(f"  {component} ({sides}), tied by {tied}")
    return "\n".join(
        [
            f"curate: the splits that the data brings tear {len(components)} components apart:",
            *lines,
            *([f"  and {len(components) - limit} more"] if len(components) > limit else []),
            "Correct the given splits, or set curate.on_leak to regroup.",
        ]
    )
