"""Splits that are alike: every component goes where what it brings is scarcest.

A component brings its samples, itself, its order of size, and one more component with each modality
and class that it has. Of each of these a split should hold its ratio, of what is placed by then. So
a component goes to the split that falls furthest short, the shortfalls being summed over what it
brings, each weighted by the component's share of the whole (greedy stratification: Sechidis,
Tsoumakas & Vlahavas 2011; of groups, as in scikit-learn's StratifiedGroupKFold).

Batches are gone through in the order of their names, as if each had just landed: components that
stand keep their splits, and those that are new are placed, the largest first. So the result is a
function of the data alone, and a later batch moves nothing but what it joins.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.core.batches import in_order
from pipeline.core.records import SPLITS, Split
from pipeline.core.registry import load
from pipeline.curation.duplicate_links import DuplicateLink, group_of
from pipeline.curation.hashed_splits import first_given, group_rank
from pipeline.curation.options import Ratios

Record = Mapping[str, Any]


def landing_ranks(records: Sequence[Record], seed: int) -> dict[str, int]:
    """Each group's place among all: by the batch that it first landed in, then by `group_rank`."""
    first: dict[str, int] = {}
    for record, batch in zip(records, _landings(records), strict=True):
        group = group_of(record)
        first[group] = min(batch, first.get(group, batch))
    return {group: (batch << 128) + group_rank(seed, group) for group, batch in first.items()}


def balanced_splits(
    records: Sequence[Record],
    links: Sequence[DuplicateLink],
    ranks: Mapping[str, int],
    modalities: Iterable[str],
    targets: Mapping[str, str],
    ratios: Ratios,
) -> dict[str, Split]:
    """The split of each component, by its lowest-ranked group.

    A component to which the data give a split has that one, and counts towards its ratio. Where
    they give a split more than its ratio, the ratios of the others are less by one factor.

    Parameters
    ----------
    ranks:
        As `landing_ranks` gives them.
    targets:
        Target → kind. A number has no classes, and is not balanced.
    """
    landings = _landings(records)
    arriving: dict[int, list[Record]] = defaultdict(list)
    for record, batch in zip(records, landings, strict=True):
        arriving[batch].append(record)
    joins = _joins(records, landings, links)
    placement = _Placement(ranks, [*modalities], targets, ratios)
    for batch in sorted(arriving):
        placement.land(arriving[batch], joins[batch])
    return placement.split


@dataclass
class _Members:
    """What a component has: samples, those with each modality or class, and given splits."""

    samples: int = 0
    having: Counter[str] = field(default_factory=Counter)
    given: set[Split] = field(default_factory=set)

    @property
    def brings(self) -> dict[str, int]:
        """Quantity → how much of it the component is."""
        counted = {"samples": self.samples, "components": 1}
        return counted | {f"size {self.samples.bit_length()}": 1} | dict.fromkeys(self.having, 1)


class _Placement:
    """The components as batch after batch lands, and the split of each."""

    def __init__(
        self,
        ranks: Mapping[str, int],
        modalities: Sequence[str],
        targets: Mapping[str, str],
        ratios: Ratios,
    ) -> None:
        self.split: dict[str, Split] = {}
        self._ranks, self._modalities, self._targets = ranks, modalities, targets
        self._asked: dict[Split, float] = {name: getattr(ratios, name) for name in SPLITS}
        self._ratios = self._asked
        self._parent: dict[str, str] = {}
        self._members: dict[str, _Members] = defaultdict(_Members)
        self._total: Counter[str] = Counter()
        self._held: dict[Split, Counter[str]] = {name: Counter() for name in SPLITS}

    def land(self, records: Iterable[Record], joins: Iterable[tuple[str, str]]) -> None:
        """Add a batch's samples and the links that they make; place what has no split yet."""
        changed: set[str] = set()
        for record in records:
            members = self._take_out(self._root(group_of(record)), changed)
            members.samples += 1
            members.having.update(_having(record, self._modalities, self._targets))
            if record["split_given"] is not None:
                members.given.add(record["split_given"])
        for group, other in joins:
            low, high = sorted((self._root(group), self._root(other)), key=self._rank)
            if low != high:
                self._join(self._take_out(low, changed), self._take_out(high, changed))
                self._parent[high] = low
                del self._members[high]
                self.split.pop(high, None)
                changed.discard(high)
        for name in changed:
            self._total.update(self._members[name].brings)
            if self._members[name].given:
                self.split[name] = first_given(self._members[name].given)
            if name in self.split:
                self._held[self.split[name]].update(self._members[name].brings)
        self._ratios = self._attainable()
        new = changed - self.split.keys()
        for name in sorted(new, key=lambda n: (-self._members[n].samples, self._rank(n))):
            self.split[name] = self._scarcest(name)
            self._held[self.split[name]].update(self._members[name].brings)

    def _attainable(self) -> dict[Split, float]:
        """The ratios, where the data names more of a split than its share: the others' are less.

        All by the same factor, so that what a split has too much is not missing in one alone.
        """
        named: Counter[Split] = Counter()
        for members in self._members.values():
            if members.given:
                named[first_given(members.given)] += members.samples
        total = sum(members.samples for members in self._members.values())
        ratios, fixed = self._asked, dict[Split, float]()
        while over := [s for s in SPLITS if s not in fixed and named[s] > ratios[s] * total]:
            fixed |= {split: named[split] / total for split in over}
            others = sum(self._asked[split] for split in SPLITS if split not in fixed)
            scale = (1 - sum(fixed.values())) / others if others else 0.0
            ratios = {split: fixed.get(split, self._asked[split] * scale) for split in SPLITS}
        return ratios

    def _scarcest(self, name: str) -> Split:
        """The split that lacks most of what a component brings; of equal ones the largest."""
        placed = {
            what: (amount, amount + sum(held[what] for held in self._held.values()))
            for what, amount in self._members[name].brings.items()
        }

        def excess(split: Split) -> float:
            held, ratio = self._held[split], self._ratios[split]
            return math.fsum(
                amount / self._total[what] * (held[what] - ratio * due) / self._total[what]
                for what, (amount, due) in placed.items()
            )

        return min(SPLITS, key=lambda split: (excess(split), -self._ratios[split]))

    def _take_out(self, name: str, changed: set[str]) -> _Members:
        """The members of a component that changes, and no longer counts as it was."""
        members = self._members[name]
        if name not in changed and name in self.split:
            self._total.subtract(members.brings)
            self._held[self.split[name]].subtract(members.brings)
        changed.add(name)
        return members

    @staticmethod
    def _join(low: _Members, high: _Members) -> None:
        low.samples += high.samples
        low.having.update(high.having)
        low.given |= high.given

    def _root(self, group: str) -> str:
        parent = self._parent
        while group in parent:
            above = parent[group]
            parent[group] = parent.get(above, above)
            group = above
        return group

    def _rank(self, group: str) -> tuple[int, str]:
        return self._ranks[group], group


def _landings(records: Iterable[Record]) -> list[int]:
    """The place of each record's batch in the order of names, and of sources where they agree."""
    batches = [(record["batch"], record["source"]) for record in records]
    ordered = sorted(set(batches), key=lambda one: (in_order(one[0]), one[1]))
    place = {batch: at for at, batch in enumerate(ordered)}
    return [place[batch] for batch in batches]


def _having(record: Record, modalities: Iterable[str], targets: Mapping[str, str]) -> Iterator[str]:
    """The modalities and the classes that a sample has."""
    yield from (f"modality {name}" for name in modalities if record[name] is not None)
    for target, kind in targets.items():
        task, value = load("models/tasks", kind), record[f"target.{target}"]
        if value is not None and not task.SEQUENCE:
            labels = [value] if task.ONE_CLASS else task.classes([value], task.Options())
            yield from (f"{target}: {label}" for label in labels)


def _joins(
    records: Iterable[Record], landings: Iterable[int], links: Iterable[DuplicateLink]
) -> dict[int, list[tuple[str, str]]]:
    """Landing → pairs of groups that are linked from then on."""
    holders: dict[tuple[str, str], dict[str, int]] = {
        (link.modality, digest): {} for link in links for digest in link.digests
    }
    modalities = {modality for modality, _ in holders}
    for record, batch in zip(records, landings, strict=True):
        group = group_of(record)
        for modality in modalities:
            since = holders.get((modality, record[modality]))
            if since is not None:
                since[group] = min(batch, since.get(group, batch))
    joins: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for link in links:
        since = {}
        for digest in link.digests:
            for group, batch in holders[link.modality, digest].items():
                since[group] = min(batch, since.get(group, batch))
        first, *others = sorted(since, key=lambda group: (since[group], group))
        for group in others:
            joins[since[group]].append((first, group))
    return joins
