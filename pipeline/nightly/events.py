"""What the ledger is told of a night: its batches, the samples that it holds, and its verdict."""

from __future__ import annotations

from datetime import datetime

from pipeline.nightly.journal import Night
from pipeline.nightly.ledger import MACHINE, Event, stamp_time
from pipeline.params.aliases import CHAMPION, Alias


def events_of(night: Night, model: str, champion: Alias | None, now: datetime) -> list[Event]:
    """Batches first, then single samples that are held, then what becomes of the model.

    Parameters
    ----------
    model:
        The challenger's name.
    champion:
        The model in use until now, if there is one.
    """
    assert night.verdict is not None
    at, run, outcome = stamp_time(now), night.run, night.verdict.outcome
    events = [
        Event(
            at,
            delivery.fate,
            run,
            MACHINE,
            delivery.why or "it landed, whole",
            delivery.source,
            delivery.landing,
            delivery.stamp,
            delivery.content,
            "" if delivery.fate == "duplicate" else delivery.batch,
        )
        for delivery in night.deliveries
        if delivery.fate in ("taken", "held", "duplicate")
    ]
    events += [
        Event(
            at,
            "held",
            run,
            MACHINE,
            why,
            sample=sample,
            source=delivery.source,
            batch=delivery.batch,
        )
        for delivery in night.deliveries
        for sample, why in delivery.rows.items()
    ]
    if outcome in ("promoted", "held"):
        events.append(
            Event(
                at,
                "promoted" if outcome == "promoted" else "kept",
                run,
                MACHINE,
                night.verdict.why,
                alias=CHAMPION,
                model=model,
                revision=night.revision,
                before=f"{champion.model}@{champion.revision}" if champion else "",
            )
        )
    return events
