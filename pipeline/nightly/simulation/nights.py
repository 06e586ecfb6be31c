"""A project lives through nights, one of which follows the other at once."""

from __future__ import annotations

import os
import re
import resource
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.core.folders import DATA, RAW
from pipeline.nightly import repository
from pipeline.nightly.journal import Night
from pipeline.nightly.options import Inbox, NightlyOptions, Webhook
from pipeline.nightly.record import read_record
from pipeline.nightly.repository import Failed
from pipeline.nightly.run import Tools, run
from pipeline.nightly.simulation import faults
from pipeline.nightly.simulation.faults import CALM, GOOD, Crashed, Fault, failing, plan_faults
from pipeline.nightly.simulation.landings import (
    Piece,
    cut,
    largest_batch,
    pieces_of,
    put_landing,
    samples_of,
)
from pipeline.nightly.simulation.project import (
    HOOK,
    REMOTE,
    Hook,
    Remotes,
    data_digests,
    hook,
    put_project,
)
from pipeline.nightly.tools import tools_of
from pipeline.nightly.watch import with_learnt_contract
from pipeline.params import Params, load

START = datetime(2026, 1, 1, 2, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Lived:
    """A night of the simulation.

    Attributes
    ----------
    landed, new_assets:
        Files that landed, and contents of all modalities that no earlier night brought in.
    cleaned_rows:
        Assets that were decoded.
    seconds, cpu_seconds:
        Of all starts, with DVC and all stages.
    right:
        Whether outcome, starts, words and the message to people are what the fault asks for.
    """

    night: str
    planted: str
    wanted: str
    outcome: str
    right: bool
    starts: int
    landed: int
    computed_rows: int
    cleaned_rows: int
    why: str
    new_assets: int = 0
    cpu_seconds: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class Proof:
    """What was accepted, at the end of all nights.

    Attributes
    ----------
    clean_build:
        A clean build of it gives the same bytes.
    clone:
        So does a clone of what was pushed.
    """

    clean_build: bool
    clone: bool


@dataclass(frozen=True)
class World:
    """What a project meets in its nights."""

    options: NightlyOptions
    load: Callable[[], Params]
    tools: Callable[[Params], Tools]
    hook: Hook
    remotes: Remotes

    def live(self, fault: Fault, now: datetime, new_assets: int = 0) -> Lived:
        """One night, started anew as often as the fault makes it fail."""
        begun, cpu, starts = time.perf_counter(), _cpu_seconds(), 0

        def clock() -> datetime:
            return now + timedelta(seconds=time.perf_counter() - begun)

        told = len(self.hook.told)
        words: list[str] = []
        night: Night | None = None
        with ExitStack() as planted:
            if fault == faults.WEBHOOK_HANGS:
                self.hook.answers.clear()
                planted.callback(self.hook.answers.set)
            while night is None:
                starts += 1
                params = self.load()
                played = replace(self.tools(params), now=clock)
                try:
                    with ExitStack() as failures:
                        if starts <= fault.fails:
                            played = failing(played, fault)
                            if fault == faults.REMOTE_DOWN:
                                failures.enter_context(self.remotes.gone())
                        night = run(params, self.options, played)
                except (Crashed, Failed, OSError) as failure:
                    if starts > fault.fails:
                        raise
                    words.append(str(failure))
        lived = _lived(night, fault, starts, self.hook.told[told:], words)
        return replace(
            lived,
            new_assets=new_assets,
            cpu_seconds=round(_cpu_seconds() - cpu, 2),
            seconds=round(time.perf_counter() - begun, 2),
        )


def _cpu_seconds() -> float:
    """What this process and those that it started and that have ended have used."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _lived(
    night: Night,
    fault: Fault,
    starts: int,
    told: Sequence[str],
    words: Sequence[str],
) -> Lived:
    assert night.verdict
    outcome, record = night.verdict.outcome, read_record(night.run)
    named = re.search(fault.says, "\n".join([night.verdict.why, *words, *told]))
    is_told = any(night.run in text for text in told) != (fault == faults.WEBHOOK_HANGS)
    is_right = outcome in fault.right and starts == fault.fails + 1
    return Lived(
        night.run,
        fault.name,
        " or ".join(fault.right),
        outcome,
        is_right and named is not None and is_told,
        starts,
        record["landed_files"],
        record["computed_rows"],
        sum(s["computed_rows"] for s in record["stages"] if s["stage"].startswith("clean/")),
        night.verdict.why,
    )


def simulate(
    params: Params,
    options: NightlyOptions,
    source: str,
    folder: Path,
    nights: int,
    seed: int,
    share: float = 1.0,
    reproduce: Callable[[], None] = repository.reproduce,
) -> Iterator[Lived | Proof]:
    """Live through nights in a new folder; at last, whether what was accepted is what it must be.

    Parameters
    ----------
    folder:
        Is made; the project, its inbox, remotes, a clone and the clean build lie there afterwards.
    share:
        How much of the batch lands at all, 0 to 1.

    Raises
    ------
    PipelineError
        The folder is there already, or the source cannot be cut into so many nights.
    """
    if folder.exists():
        raise PipelineError(f"{folder} is there already: name a new folder")
    folder = folder.absolute()
    planted = plan_faults(nights, seed)
    batch = largest_batch(source).absolute()
    target = params.models[options.model].primary
    samples = samples_of(params, source, batch)
    attributes = sorted({name for sample in samples for name in sample.attributes or {}})
    landings = cut(pieces_of(samples, target), planted, seed, share)
    lived_by = options.model_copy(
        update={
            "inbox": {source: Inbox.model_validate({"root": str(folder / "inbox")})},
            "notify": (Webhook(kind="webhook", url_from=HOOK),),
            "git_remote": "origin",
            "dvc_remote": REMOTE,
        }
    )
    for name in ("project", "clean"):
        put_project(folder / name, source, params.targets, attributes, lived_by)
    remotes = Remotes(folder / "remotes")
    remotes.put(folder / "project")

    def tools(params: Params) -> Tools:
        return replace(tools_of(params, lived_by), reproduce=reproduce)

    here, known = Path.cwd(), set[tuple[str, str]]()
    with hook() as told:
        try:
            os.chdir(folder / "project")
            world = World(lived_by, load, tools, told, remotes)
            for place, fault in enumerate(planted):
                if place == CALM:
                    _learn_contract(source)
                now = START + timedelta(days=place)
                inbox, name = folder / "inbox", f"{now:%Y-%m-%d}"
                assets = _land(batch, landings[place], fault, inbox, name, target, seed)
                lived = world.live(fault, now, len(assets - known))
                if lived.outcome in GOOD:  # what is held is cleaned anew where it comes again
                    known |= assets
                yield lived
            yield _prove(folder, remotes, reproduce)
        finally:
            os.chdir(here)


def _land(
    batch: Path,
    pieces: Sequence[Piece],
    fault: Fault,
    inbox: Path,
    name: str,
    target: str,
    seed: int,
) -> set[tuple[str, str]]:
    """What lands of a night, as `put_landing` returns it."""
    if fault == faults.NOTHING:
        return set()
    if fault == faults.DUPLICATE:
        shutil.copytree(min(inbox.iterdir()), inbox / name)
        return set()
    return put_landing(batch, pieces, fault, inbox / name, target, seed)


def _learn_contract(source: str) -> None:
    path = Path("params.yaml")
    path.write_text(with_learnt_contract(path.read_text(), load(), [source]))


def _prove(folder: Path, remotes: Remotes, reproduce: Callable[[], None]) -> Proof:
    """Build all that was accepted anew, and fetch all that was pushed."""
    lived = data_digests()
    accepted = Path(DATA, RAW).absolute()
    remotes.clone(folder / "clone")
    cloned = data_digests(folder / "clone" / DATA)
    shutil.copyfile("params.yaml", folder / "clean" / "params.yaml")
    os.chdir(folder / "clean")
    shutil.copytree(accepted, Path(DATA, RAW), dirs_exist_ok=True)
    reproduce()
    return Proof(data_digests() == lived, cloned == lived)
