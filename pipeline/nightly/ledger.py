"""nightly/ledger.jsonl: everything that was decided about landings and models, by whom and why.

Git versions it, a line an event, and nothing is ever taken out; what holds now is what the events
say in their order. By it a landing comes in once, whatever became of the machine that took it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pipeline.core.errors import PipelineError
from pipeline.core.files.atomic import atomic_write
from pipeline.core.files.documents import parsed

LEDGER = Path("nightly", "ledger.jsonl")
MACHINE = "nightly run"
# Fields that each line has, be they empty.
ALWAYS = ("at", "kind", "run", "who", "why")
Kind = Literal[
    "taken",  # a landing became a batch
    "duplicate",  # it holds what another brought already
    "held",  # it stays out until somebody decides
    "released",  # somebody did: the next run takes it
    "discarded",  # or that it never comes in
    "promoted",  # an alias moved to a run's model
    "kept",  # the model in use stays
    "rolled_back",  # an alias went back to where it was
]
OF_LANDINGS: tuple[Kind, ...] = ("taken", "duplicate", "held", "released", "discarded")


@dataclass(frozen=True)
class Event:
    """One decision.

    Attributes
    ----------
    at:
        Time, UTC, ISO 8601.
    run:
        The run that decided, or that somebody decided about.
    source, landing, stamp, content:
        What landed: the inbox's source, the folder's name, the digest of its listing and that of
        its bytes, which is empty where it was not read.
    batch:
        What it is called below data/raw or data/held; empty where it was not brought here.
    sample:
        The one sample of the batch that is held or decided about, by its id within the batch; empty
        where the batch is.
    alias, model, revision, before:
        Of a model: what the alias names since, and `model@revision` of what it named before.
    """

    at: str
    kind: Kind
    run: str
    who: str
    why: str
    source: str = ""
    landing: str = ""
    stamp: str = ""
    content: str = ""
    batch: str = ""
    sample: str = ""
    alias: str = ""
    model: str = ""
    revision: str = ""
    before: str = ""

    @property
    def name(self) -> str:
        """What people call the batch, the landing, or `batch/sample`."""
        name = self.batch or self.landing
        return f"{name}/{self.sample}" if self.sample else name


@dataclass(frozen=True)
class Ledger:
    """The events, the oldest first."""

    events: tuple[Event, ...] = ()

    def saw(self, source: str, landing: str, stamp: str) -> bool:
        """Whether a landing was dealt with as it lies there now."""
        return any(
            (event.source, event.landing, event.stamp) == (source, landing, stamp)
            for event in self.events
            if event.kind in OF_LANDINGS
        )

    def of_name(self, source: str, landing: str) -> Event | None:
        """What became last of a landing of that name, however it looked then."""
        return self._last(
            event for event in self.events if (event.source, event.landing) == (source, landing)
        )

    def of_content(self, source: str, content: str) -> Event | None:
        """What became last of a landing with exactly these bytes."""
        return self._last(
            event
            for event in self.events
            if content and (event.source, event.content) == (source, content)
            if event.kind != "duplicate"
        )

    def held(self) -> dict[tuple[str, str], Event]:
        """(source, `Event.name`) → why it is held, of what nobody has decided about since."""
        return {key: event for key, event in self._now().items() if event.kind == "held"}

    def released(self) -> dict[tuple[str, str], Event]:
        """The same of batches and landings that somebody released and no run has taken since."""
        return {
            key: event
            for key, event in self._now().items()
            if event.kind == "released" and not event.sample
        }

    def promotion(self, alias: str, run: str = "") -> Event | None:
        """The last promotion of an alias, by a run if one is named."""
        return self._last(
            event
            for event in self.events
            if event.kind == "promoted" and event.alias == alias and run in ("", event.run)
        )

    def with_events(self, events: Iterable[Event]) -> Ledger:
        return Ledger((*self.events, *events))

    def _now(self) -> dict[tuple[str, str], Event]:
        now: dict[tuple[str, str], Event] = {}
        for event in self.events:
            if event.kind in OF_LANDINGS and event.kind != "duplicate":
                of_batch = event.source, event.batch
                if event.kind == "discarded" and event.batch and not event.sample:
                    # With a batch go the samples of it that were held.
                    now = {key: e for key, e in now.items() if (e.source, e.batch) != of_batch}
                now[event.source, event.name] = event
        return now

    @staticmethod
    def _last(events: Iterable[Event]) -> Event | None:
        last = None
        for event in events:
            last = event
        return last


def read_ledger(root: Path = Path()) -> Ledger:
    """The ledger of a project; an empty one where no night has been.

    Raises
    ------
    PipelineError
        A line of it is no event.
    """
    path = root / LEDGER
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return Ledger()
    events = []
    for number, line in enumerate(lines, 1):
        try:
            events.append(parsed(line, Event))
        except ValueError:
            raise PipelineError(
                f"{path}, line {number} is no event: `git log -p {LEDGER}` shows what stood there"
            ) from None
    return Ledger(tuple(events))


def write_ledger(ledger: Ledger, root: Path = Path()) -> None:
    """Write the ledger whole or not at all."""
    path = root / LEDGER
    path.parent.mkdir(exist_ok=True)
    with atomic_write(path) as temporary:
        temporary.write_text("".join(map(_line, ledger.events)), encoding="utf-8")


def stamp_time(now: datetime) -> str:
    """A time as events and records say it."""
    return now.isoformat(timespec="seconds")


def without_run(ledger: Ledger, run: str) -> Ledger:
    """The ledger as it was before a run wrote to it, so that one that is resumed writes once."""
    return Ledger(tuple(e for e in ledger.events if (e.run, e.who) != (run, MACHINE)))


def _line(event: Event) -> str:
    said = {name: value for name, value in asdict(event).items() if value or name in ALWAYS}
    return json.dumps(said, ensure_ascii=False) + "\n"
