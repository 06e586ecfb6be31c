"""One run: its states one after the other, each of which may be done twice and counts once.

Whatever is killed, the journal says which state was reached. The next start does the following
state again from its beginning: it finds what was half done and finishes it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pipeline.core.errors import PipelineError
from pipeline.core.files.atomic import remove
from pipeline.core.files.lock import locked
from pipeline.nightly import arrival, journal, quarantine, repository
from pipeline.nightly.choose import all_landings, choose, numbered
from pipeline.nightly.events import events_of
from pipeline.nightly.journal import LOCK, STATES, Delivery, Night, State, Verdict
from pipeline.nightly.judge import write_looks
from pipeline.nightly.ledger import Ledger, read_ledger, stamp_time, without_run, write_ledger
from pipeline.nightly.options import NightlyOptions
from pipeline.nightly.record import names, write_record
from pipeline.nightly.repository import Failed, last_line
from pipeline.nightly.unlabelled import answers_file
from pipeline.nightly.watch import Findings
from pipeline.params import Params
from pipeline.params.aliases import CHAMPION, Alias, read_aliases, write_aliases
from pipeline.parts.refusals import kept
from pipeline.parts.reject_limit import NORMAL
from pipeline.raw.held_samples import HELD
from pipeline.stages.graph import labels

logger = logging.getLogger(__name__)
T = TypeVar("T")
# What the command says of a machine's fault, and Python of the program's: no batch is to blame.
NOT_THE_DATA = (
    "What is finished stands",
    "too little memory",
    "No space left",
    "Traceback (most recent call last)",
    "another process is writing",
    "Unable to acquire lock",
)


class Busy(PipelineError):
    """Another run is at work."""


@dataclass(frozen=True)
class Tools:
    """What a run does beside git and the folders of the project.

    Attributes
    ----------
    has_work:
        Whether `dvc repro` would compute anything.
    problems:
        Why a batch that has come in must be held, before anything of it is computed; empty if it
        need not.
    findings:
        What of batches breaks the contract, once as much is computed of them as that takes; asked
        again about the rest where it holds any.
    judge:
        The run with its verdict about the challenger, given the model in use.
    report:
        Writes the page of nights.
    reached:
        Called before the step that leads to a state.
    """

    now: Callable[[], datetime]
    has_work: Callable[[], bool]
    reproduce: Callable[[], None]
    problems: Callable[[Delivery], list[str]]
    findings: Callable[[list[Delivery]], Findings]
    judge: Callable[[Night, Alias | None], Night]
    push: Callable[[], None]
    notify: Callable[[Night], None]
    report: Callable[[], None]
    reached: Callable[[State], None] = lambda state: None


def run(params: Params, options: NightlyOptions, tools: Tools, one: bool = False) -> Night:
    """Finish the run that was begun, then take what has landed since.

    Parameters
    ----------
    one:
        Take one landing, the first by name, and leave the rest to later runs.

    Returns
    -------
    The last run, whose verdict says what became of it.

    Raises
    ------
    Busy
        Another run is at work.
    PipelineError
        The project is in no state to begin, or `dvc repro` fails without tonight's data.
    Failed, OSError
        The machine or the network failed: the next start goes on. A remote that is still down then
        keeps no landing waiting: the push of the run that takes it brings the data of both.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(LOCK))
        except PipelineError:
            raise Busy("another night is at work: wait for it to end") from None
        finished, down = _finish(params, options, tools)
        night = _begin(options, tools, one)
        if down and night is None:
            raise down
        if down and finished:
            _go_on(replace(finished, state="pushed"), params, options, tools)
        if night is not None:
            return _go_on(journal.save(night), params, options, tools)
        return finished or _nothing(options, tools)


def _finish(
    params: Params, options: NightlyOptions, tools: Tools
) -> tuple[Night | None, Failed | None]:
    """The run that was begun, finished; and why it cannot be pushed, if that is all it lacks."""
    begun = journal.read_journal()
    if begun is None:
        return None, None
    try:
        return _go_on(begun, params, options, tools), None
    except Failed as failure:
        recorded = journal.read_journal()
        if recorded is None or recorded.state != "recorded":
            raise
        return recorded, failure


def abandon() -> Night:
    """Take back what the run that has not ended did, so that its landings are taken anew.

    Raises
    ------
    PipelineError
        There is none, it has committed already, or another is at work.
    """
    with locked(LOCK):
        night = journal.read_journal()
        if night is None or STATES.index(night.state) >= STATES.index("committed"):
            raise PipelineError("there is no run to abandon: none has begun, or it has committed")
        for delivery in night.deliveries:
            quarantine.release_samples(delivery.source, delivery.batch, delivery.rows)
            if not delivery.root:
                quarantine.hold_batch(delivery.source, delivery.batch)
            elif delivery.batch:
                for place in (
                    quarantine.raw_place(delivery.source, delivery.batch),
                    quarantine.held_place(delivery.source, delivery.batch),
                ):
                    quarantine.dvc_file(place).unlink(missing_ok=True)
                    remove(place)
        answers = answers_file(night.run)
        for path in (answers, quarantine.dvc_file(answers)):
            path.unlink(missing_ok=True)
        repository.restore("dvc.lock")
        journal.close()
        return night


def _begin(options: NightlyOptions, tools: Tools, one: bool) -> Night | None:
    """A run that has chosen what it takes; None if there is nothing for it to do."""
    base = repository.check_start()
    now = tools.now()
    choice = choose(options, read_ledger(), now)
    deliveries = choice.deliveries[:1] if one else choice.deliveries
    if not deliveries and not tools.has_work():
        return None
    began = stamp_time(datetime.now(UTC))
    started = stamp_time(now)
    return Night(_name(now), started, base, deliveries=deliveries, left=choice.left, began=began)


def _name(now: datetime) -> str:
    """The day, with a number from its second run on."""
    day, taken = now.astimezone(UTC).date().isoformat(), set(names())
    return next(name for name in numbered(day, ".") if name not in taken)


def _nothing(options: NightlyOptions, tools: Tools) -> Night:
    """A night without anything to do, which is recorded and told like others."""
    now = tools.now()
    left = {
        f"{landing.source}/{landing.name}": landing.waits
        for landing in all_landings(options, now)
        if landing.waits
    }
    waiting = f"; {len(left)} landing(s) are not whole yet" if left else ""
    verdict = Verdict("nothing", "nothing_new", f"Nothing new has landed{waiting}.")
    base = repository.head()
    night = Night(_name(now), stamp_time(now), base, "notified", verdict=verdict, left=left)
    write_record(night, tools.now())
    tools.notify(night)
    tools.report()
    return night


def _go_on(night: Night, params: Params, options: NightlyOptions, tools: Tools) -> Night:
    """The states after the one that a run has reached."""
    if not repository.is_on(night.base, night.run):
        raise PipelineError(
            f"the run {night.run} has not ended, and what is checked out is not what it began on: "
            f"`git switch` to the branch with {night.base[:12]}, or `pipeline nightly abandon`"
        )
    steps: Mapping[State, Callable[[Night], Night]] = {
        "landed": lambda night: arrival.land(night, params, options, tools.now()),
        "checked": lambda night: _check(night, params, tools),
        "reproduced": lambda night: _reproduce(night, params, tools),
        "judged": lambda night: _judge(night, tools),
        "committed": _commit,
        "recorded": lambda night: _record(night, options, tools),
        "pushed": lambda night: _push(night, tools),
        "notified": lambda night: _notify(night, tools),
    }
    for state in STATES[STATES.index(night.state) + 1 :]:
        logger.info("%s: %s", night.run, state, extra={"run": night.run, "state": state})
        tools.reached(state)
        night = journal.save(replace(steps[state](night), state=state))
    tools.report()
    journal.close()
    return night


def _check(night: Night, params: Params, tools: Tools) -> Night:
    """Hold what fails the contract; what a person released is in by their word."""
    arrival.settle(night)
    reasons = {}
    for delivery in filter(_is_checked, night.batches()):
        problems = [delivery.why] if delivery.why else tools.problems(delivery)
        if problems:
            reasons[delivery.source, delivery.batch] = "; ".join(problems)
    night = arrival.hold(night, reasons)
    while True:
        night, found = _without_the_guilty(
            night, params, lambda night: tools.findings([*filter(_is_checked, night.batches())])
        )
        night = arrival.hold(arrival.hold_rows(night, found.noted, found.rows), found.held)
        # Beside what is held, the rest need not have been looked at to the end.
        if not found.held:
            return night


def _is_checked(delivery: Delivery) -> bool:
    return bool(delivery.root)


def _reproduce(night: Night, params: Params, tools: Tools) -> Night:
    arrival.settle(night)
    if not night.batches() and not tools.has_work():
        return night
    return _without_the_guilty(night, params, lambda night: tools.reproduce())[0]


def _without_the_guilty(night: Night, params: Params, act: Callable[[Night], T]) -> tuple[Night, T]:
    """Act; batches that it fails for are held, and it is done again with the rest."""
    while True:
        try:
            return night, act(night)
        except Failed as failure:
            if any(sign in failure.output for sign in NOT_THE_DATA):
                raise
            guilty = _guilty(night, params)
            if not guilty:
                raise PipelineError(
                    f"`dvc repro` fails without tonight's data; mend the project, then "
                    f"`pipeline nightly run` goes on: {last_line(failure.output)}"
                ) from None
            why = f"`dvc repro` failed with it: {last_line(failure.output)}"
            night = arrival.hold(night, dict.fromkeys(guilty, why))


def _guilty(night: Night, params: Params) -> list[tuple[str, str]]:
    """The batches of tonight whose rows a stage refused when it failed, or else all of them."""
    tonight = {(delivery.source, delivery.batch) for delivery in night.batches()}
    refused = Counter(
        (reject.source, reject.batch)
        for stage in labels(params, compares=False)
        for reject in kept(stage) or ()
        if reject.reason not in (*NORMAL, HELD)
    )
    return sorted(tonight & refused.keys()) or sorted(tonight)


def _judge(night: Night, tools: Tools) -> Night:
    held = night.held()
    if held and not night.batches():
        named = ", ".join(f"{each.source}/{each.batch or each.landing}" for each in held)
        why = f"Nothing of tonight came in. Held: {named}. {held[0].why}"
        return replace(night, verdict=Verdict("bad_data", "all_held", why))
    if not night.batches() and night.deliveries:
        why = "All that landed is in already, or changed while the run began."
        return replace(night, verdict=Verdict("nothing", "nothing_new", why))
    return tools.judge(night, read_aliases(Path()).get(CHAMPION))


def _commit(night: Night) -> Night:
    batches = ", ".join(f"{each.source}/{each.batch}" for each in night.batches())
    message = f"Night {night.run}: {batches or 'no new batch'}"
    paths = (*repository.DATA_FILES, "data")
    revision = repository.commit(message, repository.DATA_TRAILER, night.run, paths)
    repository.tag(repository.tag_of(night.run), revision)
    return replace(night, revision=revision)


def _record(night: Night, options: NightlyOptions, tools: Tools) -> Night:
    """Pointer, ledger and record, in one commit; what a killed run wrote of them is replaced."""
    assert night.verdict is not None
    if repository.is_committed(repository.VERDICT_TRAILER, night.run):
        return night
    repository.restore("aliases.yaml")
    aliases = read_aliases(Path())
    ledger = without_run(read_ledger(), night.run)
    now = tools.now()
    events = events_of(night, options.model, aliases.get(CHAMPION), now)
    if night.verdict.outcome == "promoted":
        chosen = Alias(model=options.model, revision=night.revision)
        write_aliases(Path(), {**aliases, CHAMPION: chosen})
    write_ledger(Ledger((*ledger.events, *events)))
    write_looks(night)
    write_record(night, now)
    message = f"Night {night.run}: {night.verdict.outcome}\n\n{night.verdict.why}"
    trailer = repository.VERDICT_TRAILER
    repository.commit(message, trailer, night.run, repository.VERDICT_FILES)
    return night


def _push(night: Night, tools: Tools) -> Night:
    tools.push()
    return night


def _notify(night: Night, tools: Tools) -> Night:
    tools.notify(night)
    return night
