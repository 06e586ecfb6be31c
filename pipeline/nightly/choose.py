"""What has landed, whole, and which run takes it: nothing is touched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, count

from pipeline.core.errors import PipelineError
from pipeline.nightly.inbox import Landing, landings
from pipeline.nightly.journal import Delivery
from pipeline.nightly.ledger import Ledger
from pipeline.nightly.options import NightlyOptions
from pipeline.nightly.quarantine import held_place, is_in, raw_place
from pipeline.nightly.repository import Failed
from pipeline.raw.media_types import modality_by_name
from pipeline.stages.add import BATCH

SHOWN = 5


@dataclass(frozen=True)
class Choice:
    """What a run would take, and `<source>/<landing>` → why it would leave it.

    Attributes
    ----------
    modalities:
        By modality, as names tell, the files that would come in.
    """

    deliveries: list[Delivery]
    left: dict[str, str]
    modalities: Counter[str]


def choose(options: NightlyOptions, ledger: Ledger, now: datetime) -> Choice:
    """Landings that are whole and that no run has dealt with, and what was held and is released.

    Raises
    ------
    Failed
        An inbox cannot be read.
    """
    released = ledger.released()
    deliveries = [
        Delivery(source, event.landing, "", event.stamp, batch, content=event.content)
        for (source, batch), event in released.items()
        if event.batch
    ]
    # What no batch could hold was never brought here: it is looked at anew.
    again = {(source, event.landing) for (source, _), event in released.items() if not event.batch}
    names = {(delivery.source, delivery.batch) for delivery in deliveries}
    left = {}
    modalities: Counter[str] = Counter()
    for landing in all_landings(options, now):
        source, name = landing.source, landing.name
        if ledger.saw(source, name, landing.stamp) and (source, name) not in again:
            continue
        if landing.waits:
            left[f"{source}/{name}"] = landing.waits
            continue
        delivery = _delivery(landing, _free_name(source, name, names))
        names.add((source, delivery.batch))
        deliveries.append(delivery)
        if delivery.batch:
            modalities.update(modality_by_name(path) or "other" for path in landing.files)
    return Choice(deliveries, left, modalities)


def all_landings(options: NightlyOptions, now: datetime) -> list[Landing]:
    """What lies in all inboxes; Failed if one cannot be read."""
    lying = []
    for source, inbox in options.inbox.items():
        try:
            lying += landings(source, inbox, now)
        except PipelineError as error:
            raise Failed(f"look at the inbox of {source}", str(error)) from None
    return lying


def _delivery(landing: Landing, batch: str) -> Delivery:
    unfit = [f"{path}: {why}" for path, why in landing.unfit.items()]
    more = f"; and {len(unfit) - SHOWN} more" if len(unfit) > SHOWN else ""
    return Delivery(
        landing.source,
        landing.name,
        landing.root,
        landing.stamp,
        batch="" if unfit else batch,
        fate="held" if unfit else "pending",
        why="; ".join(unfit[:SHOWN]) + more,
        files=len(landing.files),
        bytes=landing.bytes,
    )


def _free_name(source: str, landing: str, names: set[tuple[str, str]]) -> str:
    """What a batch is called: as its landing, or with a number where that is no name or taken."""
    plain = "".join(c if BATCH.fullmatch(f"a{c}") else "_" for c in landing).lstrip(" .+~-")
    plain = plain.removesuffix(".dvc") or "landing"

    def is_free(name: str) -> bool:
        places = raw_place(source, name), held_place(source, name)
        standing = any(place.exists() or is_in(place) for place in places)
        return (source, name) not in names and not standing

    return next(filter(is_free, numbered(plain, "-")))


def numbered(name: str, separator: str) -> Iterator[str]:
    """The name itself, then with 2, 3 and so on behind it."""
    return chain([name], (f"{name}{separator}{number}" for number in count(2)))
