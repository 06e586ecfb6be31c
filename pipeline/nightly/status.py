"""How things stand: what is in use, under way, held and waiting."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path

from pipeline.nightly.choose import choose
from pipeline.nightly.journal import read_journal
from pipeline.nightly.ledger import Ledger, read_ledger
from pipeline.nightly.options import NightlyOptions
from pipeline.nightly.record import names, read_record
from pipeline.params.aliases import read_aliases


def status(options: NightlyOptions, now: datetime) -> list[dict[str, str]]:
    """Rows of `what` and `value`.

    Raises
    ------
    PipelineError
        A file of the project is damaged.
    Failed
        An inbox cannot be read.
    """
    ledger = read_ledger()
    rows = [
        {"what": name, "value": f"{alias.model} at {alias.revision[:12]}"}
        for name, alias in read_aliases(Path()).items()
    ]
    if begun := read_journal():
        rows.append({"what": "under way", "value": f"{begun.run}, reached: {begun.state}"})
    if recorded := names():
        last = read_record(recorded[-1])
        rows.append({"what": "last run", "value": f"{last['run']}: {last['outcome']}"})
    choice = choose(options, ledger, now)
    held = ", ".join(_held(ledger))
    rows += [
        {"what": "held", "value": held or "nothing"},
        {"what": "landed, whole", "value": str(len(choice.deliveries))},
        {"what": "landed, waiting", "value": str(len(choice.left))},
    ]
    return rows


def _held(ledger: Ledger) -> list[str]:
    """Batches by their names, and of single samples how many."""
    held = ledger.held().values()
    samples = Counter(f"{event.source}/{event.batch}" for event in held if event.sample)
    return [
        *(f"{event.source}/{event.name}" for event in held if not event.sample),
        *(f"{count} sample(s) of {batch}" for batch, count in samples.items()),
    ]
