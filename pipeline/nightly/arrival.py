"""Landings come in as batches, once each; what must stay out is held."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from pipeline.core.errors import PipelineError
from pipeline.core.files.atomic import remove
from pipeline.nightly import quarantine
from pipeline.nightly.inbox import Damaged, Landing, bring, landings
from pipeline.nightly.journal import FOLDER, Delivery, Night, save
from pipeline.nightly.ledger import Ledger, read_ledger
from pipeline.nightly.options import NightlyOptions
from pipeline.nightly.repository import Failed
from pipeline.params import Params
from pipeline.stages.add import AlreadyIn, NotVersioned, add_batch

STAGING = FOLDER / "landing"


def land(night: Night, params: Params, options: NightlyOptions, now: datetime) -> Night:
    """Every delivery that is pending becomes a batch of DVC's, or is held, or is left.

    Names of batches are free when they are chosen, so what stands under one is this run's own.

    Raises
    ------
    Failed
        An inbox cannot be read, or DVC cannot take a batch.
    """
    ledger = read_ledger()
    for place, delivery in enumerate(night.deliveries):
        if delivery.fate != "pending":
            continue
        if not delivery.root:
            quarantine.release_batch(delivery.source, delivery.batch)
        elif not quarantine.is_in(quarantine.raw_place(delivery.source, delivery.batch)):
            landing = _as_chosen(delivery, options, now)
            if landing is None:
                why = "it changed or went while the run began; the next looks again"
                night = _put(night, place, replace(delivery, fate="left", why=why))
                continue
            # What a killed `dvc add` left.
            remove(quarantine.raw_place(delivery.source, delivery.batch))
            night = _take(night, place, landing, params, ledger)
            continue
        night = _put(night, place, replace(delivery, fate="taken"))
    remove(STAGING)
    return night


def hold(night: Night, reasons: dict[tuple[str, str], str]) -> Night:
    """Hold batches of tonight, (source, batch) → why; those that a killed call moved stay so."""
    for place, delivery in enumerate(night.deliveries):
        why = reasons.get((delivery.source, delivery.batch))
        if why is not None and delivery.fate == "taken":
            night = _put(night, place, replace(delivery, fate="held", why=why))
    return settle(night)


def hold_rows(
    night: Night, notes: dict[tuple[str, str], str], rows: dict[tuple[str, str], dict[str, str]]
) -> Night:
    """Hold single samples of batches of tonight.

    The journal knows of them before ingest passes over them, since it then finds nothing odd.

    Parameters
    ----------
    notes:
        (source, batch) → what is odd about samples of it, in words.
    rows:
        (source, batch) → id within the batch → why it is held.
    """
    if not notes:
        return night
    deliveries = []
    for each in night.deliveries:
        key = each.source, each.batch
        held = each.rows | rows.get(key, {})
        deliveries.append(replace(each, noted=notes.get(key, each.noted), rows=held))
    return settle(save(replace(night, deliveries=deliveries)))


def settle(night: Night) -> Night:
    """Hold what the journal says is held, where that has not been done yet."""
    for delivery in night.held():
        if delivery.batch:
            quarantine.hold_batch(delivery.source, delivery.batch)
    for delivery in night.deliveries:
        if delivery.rows:
            quarantine.hold_samples(delivery.source, delivery.batch, delivery.rows)
    return night


def _as_chosen(delivery: Delivery, options: NightlyOptions, now: datetime) -> Landing | None:
    """The landing of a delivery, if it lies there as it did when it was chosen."""
    inbox = options.inbox.get(delivery.source)
    if inbox is None or inbox.root != delivery.root:
        return None
    try:
        lying = landings(delivery.source, inbox, now, only=delivery.landing)
    except PipelineError as error:
        raise Failed(f"look at the inbox of {delivery.source}", str(error)) from None
    return next((landing for landing in lying if landing.stamp == delivery.stamp), None)


def _take(night: Night, place: int, landing: Landing, params: Params, ledger: Ledger) -> Night:
    """Bring one landing in from its inbox."""
    delivery = night.deliveries[place]
    try:
        content = bring(landing, STAGING / "files")
    except Damaged as error:
        return _put(night, place, replace(delivery, fate="held", batch="", why=str(error)))
    except PipelineError as error:
        raise Failed(f"bring {landing.name} from its inbox", str(error)) from None
    delivery = replace(delivery, content=content)
    if twin := _twin(night.deliveries[:place], ledger, delivery):
        return _put(night, place, replace(delivery, fate="duplicate", why=twin))
    before = ledger.of_name(delivery.source, delivery.landing)
    if before is not None and before.kind == "taken":
        why = f"other files came in under this name before, as the batch {before.batch}"
        delivery = replace(delivery, why=why)
    # What is known of it so far, for the run that finds the batch and not this one's memory.
    night = _put(night, place, delivery)
    try:
        add_batch(params, delivery.source, STAGING / "files", delivery.batch)
    except AlreadyIn as error:
        return _put(night, place, replace(delivery, fate="duplicate", why=str(error)))
    except NotVersioned as error:
        raise Failed("dvc add", str(error)) from None
    except PipelineError as error:
        return _put(night, place, replace(delivery, fate="held", batch="", why=str(error)))
    return _put(night, place, replace(delivery, fate="taken"))


def _twin(earlier: Iterable[Delivery], ledger: Ledger, delivery: Delivery) -> str:
    """What holds the same files as a delivery, in words; empty if nothing does."""
    for other in earlier:
        same = (other.source, other.content) == (delivery.source, delivery.content)
        if same and other.fate in ("taken", "held"):
            return f"the same files as {other.landing} of tonight"
    event = ledger.of_content(delivery.source, delivery.content)
    if event is None or event.kind == "released":
        return ""
    return f"the same files as {event.landing}, which was {event.kind} by run {event.run}"


def _put(night: Night, place: int, delivery: Delivery) -> Night:
    """The run with a delivery in place of what it was, and the journal with it."""
    deliveries = [*night.deliveries]
    deliveries[place] = delivery
    return save(replace(night, deliveries=deliveries))
