"""Keep the workers of a Ray cluster busy until every part is made; replace those that die.

A worker that sees the driver's files is given parts and makes them whole. One that does not is
sent rows, slice by slice, with what they point at, and the driver puts the parts together. Either
has two tasks in flight, so the driver holds two slices and two parts a worker, at most.

Where a GPU computes, processes that hold a share of it serve the workers, each as many: a worker
has then so many parts under way that its share of two batches is.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.machine.shortage import Shortage
from pipeline.execution.cluster import RayDied, check_alive, nodes
from pipeline.execution.placement import Placement, place
from pipeline.execution.ray_session import brief
from pipeline.execution.worker import (
    Carried,
    Handshake,
    Holder,
    HolderFailure,
    Preparing,
    Token,
    Worker,
)
from pipeline.execution.worker_deaths import (
    ATTEMPTS,
    WorkerDeath,
    WorkerDeaths,
    find_poison_rows,
    without,
)
from pipeline.parts.job import CompletedPart, Job, ResourceUsage, assemble, slices, total
from pipeline.parts.part import Outcome, Row, Work

IN_FLIGHT = 2
# With a GPU: one part is written, one waits for it, one is prepared; more where they are small.
FED_IN_FLIGHT, FED_MOST = 3, 32
# Ray tells nobody that its head died, so it is asked this often.
LOOK_SECONDS = 5.0


@dataclass(eq=False)
class _InFlightJob:
    """A job on its way: whole, or in slices of which the outcomes come back."""

    job: Job
    groups: list[Sequence[Row]]
    sent: int = 0
    found: dict[int, list[Outcome]] = field(default_factory=dict)
    uses: list[ResourceUsage] = field(default_factory=list)

    @property
    def outcomes(self) -> list[Outcome]:
        return [outcome for number in sorted(self.found) for outcome in self.found[number]]


@dataclass(eq=False)
class _HolderHandle:
    """A process that holds a share of a GPU."""

    actor: Any
    greeting: Any
    greeted: bool = False


@dataclass(eq=False)
class _WorkerHandle:
    """A worker, its jobs and tasks in flight, oldest first, and since when it is at the oldest.

    Answers may come in another order than they were asked for.
    """

    actor: Any
    greeting: Any
    shares_filesystem: bool | None = None
    courses: list[_InFlightJob] = field(default_factory=list)
    tasks: dict[Any, tuple[_InFlightJob, int]] = field(default_factory=dict)
    since: float = 0.0
    holder: _HolderHandle | None = None

    @property
    def rows(self) -> int:
        """Rows under way."""
        return sum(len(course.job.rows) for course in self.courses)

    @property
    def course(self) -> _InFlightJob | None:
        """The job of which slices remain to be sent."""
        unsent = [course for course in self.courses if course.sent < len(course.groups)]
        return unsent[0] if unsent else None


class Scheduler:
    """One stage's work on a cluster.

    Parameters
    ----------
    token:
        Shows which workers see the driver's files; None: all do.
    variables:
        Environment that the cluster's workers must be given.
    timeout:
        Seconds that a part may take.
    """

    def __init__(
        self,
        work: Work,
        jobs: Sequence[Job],
        out: Path,
        placement: Placement,
        token: Token | None,
        variables: dict[str, str],
        timeout: float,
    ) -> None:
        self._work, self._out, self._token, self._timeout = work, out, token, timeout
        self._placement, self._variables = placement, variables
        self._pending = list(reversed(jobs))
        self._deaths = WorkerDeaths(work, timeout)
        # Parts on which a worker died run with no other in flight, so that the next death is told.
        self._alone: set[str] = set()
        self._hands: list[_WorkerHandle] = []
        self._holders: list[_HolderHandle] = []
        self._searches: dict[Any, Job] = {}
        self._stillborn = 0

    def run(self) -> Iterator[CompletedPart]:
        """Parts as they are made."""
        import ray

        self._shared = ray.put(self._work)
        try:
            while True:
                self._scale()
                if not (self._pending or self._searches or any(h.tasks for h in self._hands)):
                    self._stop()
                    return
                yield from self._step()
        except RayDied:
            raise  # it took the workers with it, and would not answer
        except BaseException:
            self._stop()
            raise

    def _stop(self) -> None:
        import ray

        for actor in [*(h.actor for h in self._hands), *(h.actor for h in self._holders)]:
            ray.kill(actor)
        for search in self._searches:
            ray.cancel(search, force=True)

    def _scale(self) -> None:
        """Start workers while there is more to do than hands, and let go those with nothing."""
        import ray

        waiting = sum(hand.shares_filesystem is None for hand in self._hands)
        room = self._placement.workers - len(self._hands) - len(self._searches)
        for _ in range(min(room, len(self._pending) - waiting)):
            self._hands.append(self._start())
        while self._pending and len(self._holders) < self._placement.holders:
            actor = self._remote(Holder, self._placement.gpus, num_cpus=0).remote(self._shared)
            self._holders.append(_HolderHandle(actor, actor.greet.remote(self._token)))
        for hand in list(self._hands):
            self._dispatch(hand)
            if hand.shares_filesystem is not None and not hand.tasks and not self._pending:
                self._hands.remove(hand)
                ray.kill(hand.actor)

    def _start(self) -> _WorkerHandle:
        computes = not self._placement.holders
        kind = self._remote(Worker, max_concurrency=1 if computes else FED_MOST)
        actor = kind.remote(self._shared)
        return _WorkerHandle(actor, actor.greet.remote(self._token, computes))

    def _dispatch(self, hand: _WorkerHandle) -> None:
        if hand.shares_filesystem is None or not self._is_served(hand):
            return
        while self._has_room(hand):
            course = hand.course
            if course is None:
                keys = {course.job.part.key for course in hand.courses}
                if not self._pending or keys & self._alone:
                    return
                if keys and self._pending[-1].part.key in self._alone:
                    return
                job = self._pending.pop()
                groups = (
                    []
                    if hand.shares_filesystem
                    else list(slices(job.rows, self._work.rows_at_once)) or [[]]
                )
                course = _InFlightJob(job, groups)
                hand.courses.append(course)
            self._send(hand, course)

    def _is_served(self, hand: _WorkerHandle) -> bool:
        """Whether the worker computes by itself, or has a holder; it gets the one of fewest."""
        if self._placement.holders and hand.holder is None:
            served = Counter(id(other.holder) for other in self._hands)
            greeted = [holder for holder in self._holders if holder.greeted]
            hand.holder = min(greeted, key=lambda holder: served[id(holder)], default=None)
        return not self._placement.holders or hand.holder is not None

    def _has_room(self, hand: _WorkerHandle) -> bool:
        if hand.holder is None:
            return len(hand.tasks) < IN_FLIGHT
        share = 2 * self._work.batch_rows * self._placement.holders // self._placement.workers
        room = FED_IN_FLIGHT if hand.rows >= share else FED_MOST
        return len(hand.tasks) < room

    def _send(self, hand: _WorkerHandle, course: _InFlightJob) -> None:
        holder = hand.holder.actor if hand.holder else None
        if hand.shares_filesystem:
            task = hand.actor.make.remote(course.job, self._out, holder)
        else:
            rows = course.groups[course.sent]
            task = hand.actor.outcomes.remote(rows, self._work.read(rows), holder)
        if not hand.tasks:
            hand.since = time.monotonic()
        hand.tasks[task] = (course, course.sent)
        course.sent += 1

    def _step(self) -> Iterator[CompletedPart]:
        """Wait for one answer, or for a worker to be overdue."""
        import ray

        now = time.monotonic()
        left = [hand.since + self._timeout - now for hand in self._hands if hand.tasks]
        refs = [task for hand in self._hands for task in hand.tasks]
        refs += [hand.greeting for hand in self._hands if hand.shares_filesystem is None]
        refs += [holder.greeting for holder in self._holders if not holder.greeted]
        refs += list(self._searches)
        wait = max(min([*left, LOOK_SECONDS]), 0.0)
        done, _ = ray.wait(refs, num_returns=1, timeout=wait, fetch_local=False)
        for ref in done:
            if ref in self._searches:
                self._found(ref)
            elif holder := next((h for h in self._holders if ref == h.greeting), None):
                self._holder_told(holder)
            else:
                yield from self._told(ref)
        if not done:
            check_alive()
            if not refs or not (left or self._searches):
                self._check_room()
            for hand in [h for h in self._hands if h.tasks]:
                if time.monotonic() - hand.since >= self._timeout:
                    ray.kill(hand.actor)
                    self._died(hand, WorkerDeath(None, overdue=True))

    def _told(self, ref: Any) -> Iterator[CompletedPart]:
        """Take an answer: a greeting, a part, a slice's outcomes, or the worker's death."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        hand = next(h for h in self._hands if ref == h.greeting or ref in h.tasks)
        try:
            answer = ray.get(ref)
        except RayTaskError as error:
            cause = error.cause
            if not isinstance(cause, RayError | Shortage):
                raise cause from None
            check_alive()
            if isinstance(cause, HolderFailure) and hand.holder:
                self._dismiss(hand.holder, hand)
            told, _ = hand.tasks.get(ref, (None, 0))
            hand.courses.sort(key=lambda course: course is not told)
            ray.kill(hand.actor)
            self._died(hand, cause if isinstance(cause, Shortage) else WorkerDeath(None))
            return
        except RayError as error:
            check_alive()
            if hand.shares_filesystem is None:
                self._hands.remove(hand)
                self._count_stillborn(error)
            else:
                self._died(hand, WorkerDeath(None))
            return
        if hand.shares_filesystem is None:
            self._greeted(hand, answer)
            return
        course, number = hand.tasks.pop(ref)
        hand.since = time.monotonic()
        if isinstance(answer, CompletedPart):
            hand.courses.remove(course)
            yield answer
            return
        course.found[number], use = answer
        course.uses.append(use)
        if len(course.found) == len(course.groups):
            hand.courses.remove(course)
            uses = course.uses
            yield assemble(self._work, course.job, course.outcomes, self._out, lambda: total(uses))

    def _holder_told(self, holder: _HolderHandle) -> None:
        """Take a holder's greeting, or its death before it."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        try:
            self._check_same(ray.get(holder.greeting))
        except RayTaskError as error:
            if isinstance(error.cause, PipelineError):
                raise error.cause from None
            raise
        except RayError as error:
            check_alive()
            self._holders.remove(holder)
            self._count_stillborn(error)
            return
        holder.greeted, self._stillborn = True, 0

    def _dismiss(self, holder: _HolderHandle, teller: _WorkerHandle) -> None:
        """End a holder that failed, and with it the other workers that wait for it."""
        import ray

        self._holders.remove(holder)
        ray.kill(holder.actor)
        for hand in [h for h in self._hands if h.holder is holder and h is not teller]:
            self._hands.remove(hand)
            ray.kill(hand.actor)
            self._pending += [course.job for course in hand.courses]

    def _greeted(self, hand: _WorkerHandle, greeting: Handshake) -> None:
        self._check_same(greeting)
        hand.shares_filesystem, self._stillborn = greeting.shares_filesystem, 0

    def _check_same(self, greeting: Handshake) -> None:
        if greeting.differs:
            raise PipelineError(
                f"{self._work.stage}: a worker of the Ray cluster would compute something else: "
                f"{', '.join(greeting.differs[:5])} differ there. Install this project, at this "
                f"revision and with the locked libraries, on every node."
            )

    def _count_stillborn(self, error: Exception) -> None:
        self._stillborn += 1
        if self._stillborn == ATTEMPTS:
            advice = (
                "install this project on every node" if self._token else "look for memory pressure"
            )
            raise PipelineError(
                f"{self._work.stage}: no worker could start on the Ray cluster: {advice}. Ray "
                f"says: {brief(error)}"
            ) from None

    def _died(self, hand: _WorkerHandle, death: WorkerDeath | Shortage) -> None:
        """Do its jobs again; the oldest is the one that it was at."""
        self._hands.remove(hand)
        jobs = [course.job for course in hand.courses]
        self._alone.update(job.part.key for job in jobs)
        self._pending += jobs[1:]
        for job in jobs[:1]:
            if self._deaths.suspect(job, death):
                self._search(job, travel=not hand.shares_filesystem)
            else:
                self._pending.append(job)

    def _search(self, job: Job, travel: bool) -> None:
        """Look for the row at fault in the cluster, where the exit codes of children are known."""
        rows = job.rows
        work = Carried(self._work, rows, self._work.read(rows)) if travel else self._work
        if self._placement.holders:
            work = Preparing(work)
        task = self._remote(find_poison_rows)
        self._searches[task.remote(work, rows, self._timeout)] = job

    def _found(self, ref: Any) -> None:
        import ray
        from ray.exceptions import RayError

        job = self._searches.pop(ref)
        try:
            self._pending.append(without(job, ray.get(ref)))
        except RayError:  # its node died too
            self._pending.append(job)

    def _remote(self, what: Any, gpus: float = 0.0, num_cpus: int = 1, **options: Any) -> Any:
        """A class or function as Ray takes it, with what it asks for."""
        import ray

        if self._variables:
            # Of the worker and not of the driver: these go before a job's own, without a conflict.
            options["runtime_env"] = {"env_vars": self._variables}
        remote: Any = ray.remote
        return remote(num_cpus=num_cpus, num_gpus=gpus, **options)(what)

    def _check_room(self) -> None:
        """Nothing is under way: the cluster may have lost what a worker needs."""
        place(self._work.stage, nodes(), None, self._placement.gpus, 1)
