"""What people decide about runs and batches: each in one commit, with who and why, at no cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from pipeline.core.errors import PipelineError, unknown
from pipeline.core.files.lock import locked
from pipeline.core.folders import DATA, MODELS, SAMPLES
from pipeline.nightly import quarantine, repository
from pipeline.nightly.journal import JOURNAL, LOCK
from pipeline.nightly.ledger import Event, Ledger, read_ledger, stamp_time, write_ledger
from pipeline.nightly.record import read_record
from pipeline.params.aliases import Alias, read_aliases, write_aliases
from pipeline.parts import manifest
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
    _decided([event], f"Hold run {run}")
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


def release(source: str, name: str, who: str, why: str, now: datetime) -> str:
    """Let the next run take what is held, as it is.

    Parameters
    ----------
    name:
        A batch or landing that is held, `batch/sample`, or a batch of which samples are held, which
        means all of these.
    """
    events = _held(source, name)

    def let_in() -> None:
        for batch, samples in _samples(events).items():
            quarantine.release_samples(source, batch, samples)

    _decided(_anew(events, "released", who, why, now), f"Release {source}/{name}", let_in)
    return f"the next run takes {source}/{name}"


def discard(source: str, name: str, who: str, why: str, now: datetime) -> str:
    """Say that what is held never comes in; commits that have its bytes keep them.

    The name is as `release` takes it. Samples stay named beside their batch, and go with it.
    """
    events = _held(source, name)

    def remove() -> None:
        for event in events:
            if event.batch and not event.sample:
                quarantine.discard_batch(source, event.batch)

    _decided(_anew(events, "discarded", who, why, now), f"Discard {source}/{name}", remove)
    return f"{source}/{name} stays out"


def withdraw(source: str, name: str, who: str, why: str, now: datetime) -> str:
    """Take what came in out again, and hold it; the next run goes without it.

    Parameters
    ----------
    name:
        A batch, or `batch/sample`.

    Raises
    ------
    PipelineError
        No such batch came in by itself, or none of its samples has that id.
    """
    batch, _, sample = name.partition("/")
    quarantine.withdrawable(source, batch)
    if sample:
        _withdraw_sample(source, batch, sample, who, why, now)
    else:
        _withdraw_batch(source, batch, who, why, now)
    return f"{source}/{name} is held; the next run goes without it"


def _withdraw_sample(
    source: str, batch: str, sample: str, who: str, why: str, now: datetime
) -> None:
    samples = manifest.read(Path(DATA, SAMPLES), ["sample_id"])["sample_id"]
    sample_id = f"{source}/{batch}/{sample}"
    if sample_id not in samples.to_pylist():
        raise PipelineError(f"data/samples has no {sample_id}: `pipeline trace` finds samples")
    event = Event(stamp_time(now), "held", "", who, why, source=source, batch=batch, sample=sample)

    def hold() -> None:
        quarantine.hold_samples(source, batch, {sample: why})

    _decided([event], f"Withdraw {sample_id}", hold)


def _withdraw_batch(source: str, batch: str, who: str, why: str, now: datetime) -> None:
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
    _decided([event], f"Withdraw {source}/{batch}", lambda: quarantine.hold_batch(source, batch))


def held(ledger: Ledger) -> list[Mapping[str, str]]:
    """What is held, and since when, by whom and why."""
    return [
        {
            "name": f"{source}/{name}",
            "landing": event.landing,
            "run": event.run,
            "who": event.who,
            "why": event.why,
            "where": _where(event),
        }
        for (source, name), event in sorted(ledger.held().items())
    ]


def _where(event: Event) -> str:
    if event.sample:
        return str(quarantine.raw_place(event.source, event.batch))
    return str(quarantine.held_place(event.source, event.batch)) if event.batch else "in its inbox"


def _held(source: str, name: str) -> list[Event]:
    """What is held under a name: itself, or all samples of a batch of that name."""
    standing = read_ledger().held()
    if (source, name) in standing:
        return [standing[source, name]]
    events = [e for e in standing.values() if e.sample and (e.source, e.batch) == (source, name)]
    if not events:
        names = [f"{source}/{name}" for source, name in standing]
        raise PipelineError(unknown("held batch or sample", f"{source}/{name}", names))
    return events


def _samples(events: Iterable[Event]) -> dict[str, list[str]]:
    """Batch → its samples among the events."""
    samples: dict[str, list[str]] = {}
    for event in events:
        if event.sample:
            samples.setdefault(event.batch, []).append(event.sample)
    return samples


def _anew(
    events: Iterable[Event],
    kind: Literal["released", "discarded"],
    who: str,
    why: str,
    now: datetime,
) -> list[Event]:
    """The same things, decided about otherwise."""
    at = stamp_time(now)
    return [replace(event, at=at, kind=kind, who=who, why=why) for event in events]


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
    _decided([event], f"{words} run {run}: {alias} is {_named(to)}", write)
    return f"{alias} is {_named(to)}; it was {_named(standing) or 'unset'}"


def _named(alias: Alias | None) -> str:
    return f"{alias.model}@{alias.revision}" if alias else ""


def _decided(events: Sequence[Event], message: str, act: Callable[[], None] = lambda: None) -> None:
    """Act, write the events of one decision down and commit both, alone."""
    event = events[0]
    if not event.who.strip() or not event.why.strip():
        raise PipelineError("say with --who and --why who decides this, and why")
    with locked(LOCK):
        repository.check_start()
        if JOURNAL.exists():
            raise PipelineError("a run has not ended: `pipeline nightly run` finishes it first")
        act()
        write_ledger(read_ledger().with_events(events))
        paths = (*repository.VERDICT_FILES, DATA)
        body = f"{message}\n\n{event.why}\n\nDecided-By: {event.who}"
        repository.commit(body, repository.DECISION_TRAILER, f"{event.kind} {event.at}", paths)
