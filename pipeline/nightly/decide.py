"""What people decide about runs and batches: each in one commit, with who and why, at no cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from pipeline.core.errors import PipelineError, unknown
from pipeline.core.files.lock import locked
from pipeline.core.folders import DATA, MODELS
from pipeline.nightly import quarantine, repository
from pipeline.nightly.journal import JOURNAL, LOCK
from pipeline.nightly.ledger import Event, Ledger, read_ledger, stamp_time, write_ledger
from pipeline.nightly.record import read_record
from pipeline.params.aliases import Alias, read_aliases, write_aliases
from pipeline.store.trees.revision import Revision

HERE = Path()


def promote(run: str, model: str, alias: str, who: str, why: str, now: datetime) -> str:
    """Let an alias name the model of a run.

    Raises
    ------
    PipelineError
        The run has no model of that name, or the alias names it already.
    """
    revision = _revision_of(run)
    standing = read_aliases(HERE).get(alias)
    chosen = Alias(model=model, revision=revision)
    if chosen == standing:
        raise PipelineError(f"{alias} is {model} of run {run} already")
    tree = Revision.at(HERE, revision)
    models = tree.names(MODELS)
    if model not in models:
        raise PipelineError(f"run {run}: {unknown('model', model, models)}")
    return _point(run, alias, chosen, standing, "promoted", who, why, now)


def hold(run: str, alias: str, who: str, why: str, now: datetime) -> str:
    """Say that a run's model is not to be used.

    Raises
    ------
    PipelineError
        There is no such run, or the alias names its model, which `rollback` takes back.
    """
    revision = _revision_of(run)
    standing = read_aliases(HERE).get(alias)
    if standing and standing.revision == revision:
        raise PipelineError(
            f"{alias} is of run {run}: `pipeline nightly rollback {run}` takes it back"
        )
    event = Event(
        stamp_time(now), "kept", run, who, why, alias=alias, revision=revision,
        before=_named(standing),
    )  # fmt: skip
    _decided(event, f"Hold run {run}")
    return f"run {run} is held; {alias} stays {_named(standing) or 'unset'}"


def rollback(run: str, alias: str, who: str, why: str, now: datetime) -> str:
    """Let an alias name what it named before a run was promoted, which computes nothing.

    Raises
    ------
    PipelineError
        The run was never promoted to it, the alias has moved on since, or it named nothing before.
    """
    promotion = read_ledger().promotion(alias, run)
    if promotion is None:
        raise PipelineError(f"run {run} was never promoted to {alias}")
    standing = read_aliases(HERE).get(alias)
    if standing is None or standing.revision != promotion.revision:
        raise PipelineError(f"{alias} is {_named(standing) or 'unset'}, not that of run {run}")
    if not promotion.before:
        raise PipelineError(f"{alias} named nothing before run {run}: promote another run instead")
    model, _, revision = promotion.before.rpartition("@")
    before = Alias(model=model, revision=revision)
    return _point(run, alias, before, standing, "rolled_back", who, why, now)


def release(source: str, batch: str, who: str, why: str, now: datetime) -> str:
    """Let the next run take what is held, as it is."""
    event = _held(source, batch)
    decided = Event(
        stamp_time(now), "released", event.run, who, why, source, event.landing, event.stamp,
        event.content, event.batch,
    )  # fmt: skip
    _decided(decided, f"Release {source}/{batch}")
    return f"the next run takes {source}/{batch}"


def discard(source: str, batch: str, who: str, why: str, now: datetime) -> str:
    """Say that what is held never comes in; commits that have its bytes keep them."""
    event = _held(source, batch)
    decided = Event(
        stamp_time(now), "discarded", event.run, who, why, source, event.landing, event.stamp,
        event.content, event.batch,
    )  # fmt: skip

    def remove() -> None:
        if event.batch:
            quarantine.discard_batch(source, event.batch)

    _decided(decided, f"Discard {source}/{batch}", remove)
    return f"{source}/{batch} stays out"


def withdraw(source: str, batch: str, who: str, why: str, now: datetime) -> str:
    """Take a batch that came in out again, and hold it; the next `dvc repro` goes without it."""
    quarantine.withdrawable(source, batch)
    taken = [
        event
        for event in read_ledger().events
        if event.kind == "taken" and (event.source, event.batch) == (source, batch)
    ]
    last = taken[-1] if taken else None
    event = Event(
        stamp_time(now),
        "held",
        last.run if last else "",
        who,
        why,
        source,
        last.landing if last else batch,
        last.stamp if last else "",
        last.content if last else "",
        batch,
    )
    _decided(event, f"Withdraw {source}/{batch}", lambda: quarantine.hold_batch(source, batch))
    return f"{source}/{batch} is held; the next run goes without it"


def held(ledger: Ledger) -> list[Mapping[str, str]]:
    """What is held, and since when, by whom and why."""
    return [
        {
            "name": f"{source}/{name}",
            "landing": event.landing,
            "run": event.run,
            "who": event.who,
            "why": event.why,
            "where": str(quarantine.held_place(source, name)) if event.batch else "in its inbox",
        }
        for (source, name), event in sorted(ledger.held().items())
    ]


def _held(source: str, batch: str) -> Event:
    standing = read_ledger().held()
    if (source, batch) not in standing:
        names = [f"{source}/{name}" for source, name in standing]
        raise PipelineError(unknown("held batch", f"{source}/{batch}", names))
    return standing[source, batch]


def _revision_of(run: str) -> str:
    revision = read_record(run)["revision"]
    if not revision:
        raise PipelineError(f"run {run} made nothing: it has no model")
    return str(revision)


def _point(
    run: str, alias: str, to: Alias, standing: Alias | None, kind: str, who: str, why: str,
    now: datetime,
) -> str:  # fmt: skip
    event = Event(
        stamp_time(now), kind, run, who, why,  # type: ignore[arg-type]
        alias=alias, model=to.model, revision=to.revision, before=_named(standing),
    )  # fmt: skip

    def write() -> None:
        write_aliases(HERE, {**read_aliases(HERE), alias: to})

    words = "Roll back" if kind == "rolled_back" else "Promote"
    _decided(event, f"{words} run {run}: {alias} is {_named(to)}", write)
    return f"{alias} is {_named(to)}; it was {_named(standing) or 'unset'}"


def _named(alias: Alias | None) -> str:
    return f"{alias.model}@{alias.revision}" if alias else ""


def _decided(event: Event, message: str, act: Callable[[], None] = lambda: None) -> None:
    """Act, write the event down and commit both, alone."""
    if not event.who.strip() or not event.why.strip():
        raise PipelineError("say with --who and --why who decides this, and why")
    with locked(LOCK):
        repository.check_start()
        if JOURNAL.exists():
            raise PipelineError("a run has not ended: `pipeline nightly run` finishes it first")
        act()
        write_ledger(read_ledger().with_events([event]))
        paths = (*repository.VERDICT_FILES, DATA)
        body = f"{message}\n\n{event.why}\n\nDecided-By: {event.who}"
        repository.commit(body, repository.DECISION_TRAILER, f"{event.kind} {event.at}", paths)
