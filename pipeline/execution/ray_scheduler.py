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
from pipeline.execution.worker_handles import HolderHandle, InFlightJob, WorkerHandle
from pipeline.parts.job import CompletedPart, Job, assemble, slices, total
from pipeline.parts.part import Work

IN_FLIGHT = 2
# With a GPU: one part is written, one waits for it, one is prepared; more where they are small.
FED_IN_FLIGHT, FED_MOST = 3, 32
# Ray tells nobody that its head died, so it is asked this often.
LOOK_SECONDS = 5.0


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
        self._workers: list[WorkerHandle] = []
        self._holders: list[HolderHandle] = []
        self._searches: dict[Any, Job] = {}
        self._stillborn = 0

    def run(self) -> Iterator[CompletedPart]:
        """Parts as they are made."""
        import ray

        self._shared = ray.put(self._work)
        try:
            while True:
                self._scale()
                if not (self._pending or self._searches or any(w.tasks for w in self._workers)):
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

        for actor in [*(w.actor for w in self._workers), *(h.actor for h in self._holders)]:
            ray.kill(actor)
        for search in self._searches:
            ray.cancel(search, force=True)

    def _scale(self) -> None:
        """Start workers while there is more to do than there are, and let go those with nothing."""
        import ray

        waiting = sum(worker.shares_filesystem is None for worker in self._workers)
        room = self._placement.workers - len(self._workers) - len(self._searches)
        for _ in range(min(room, len(self._pending) - waiting)):
            self._workers.append(self._start())
        while self._pending and len(self._holders) < self._placement.holders:
            actor = self._remote(Holder, self._placement.gpus, num_cpus=0).remote(self._shared)
            self._holders.append(HolderHandle(actor, actor.greet.remote(self._token)))
        for worker in list(self._workers):
            self._dispatch(worker)
            if worker.shares_filesystem is not None and not worker.tasks and not self._pending:
                self._workers.remove(worker)
                ray.kill(worker.actor)

    def _start(self) -> WorkerHandle:
        computes = not self._placement.holders
        kind = self._remote(Worker, max_concurrency=1 if computes else FED_MOST)
        actor = kind.remote(self._shared)
        return WorkerHandle(actor, actor.greet.remote(self._token, computes))

    def _dispatch(self, worker: WorkerHandle) -> None:
        if worker.shares_filesystem is None or not self._is_served(worker):
            return
        while self._has_room(worker):
            entry = worker.unsent
            if entry is None:
                keys = {entry.job.part.key for entry in worker.in_flight}
                if not self._pending or keys & self._alone:
                    return
                if keys and self._pending[-1].part.key in self._alone:
                    return
                job = self._pending.pop()
                groups = (
                    []
                    if worker.shares_filesystem
                    else list(slices(job.rows, self._work.rows_at_once)) or [[]]
                )
                entry = InFlightJob(job, groups)
                worker.in_flight.append(entry)
            self._send(worker, entry)

    def _is_served(self, worker: WorkerHandle) -> bool:
        """Whether the worker computes by itself, or has a holder; it gets the one of fewest."""
        if self._placement.holders and worker.holder is None:
            served = Counter(id(other.holder) for other in self._workers)
            greeted = [holder for holder in self._holders if holder.greeted]
            worker.holder = min(greeted, key=lambda holder: served[id(holder)], default=None)
        return not self._placement.holders or worker.holder is not None

    def _has_room(self, worker: WorkerHandle) -> bool:
        if worker.holder is None:
            return len(worker.tasks) < IN_FLIGHT
        share = 2 * self._work.batch_rows * self._placement.holders // self._placement.workers
        room = FED_IN_FLIGHT if worker.rows >= share else FED_MOST
        return len(worker.tasks) < room

    def _send(self, worker: WorkerHandle, entry: InFlightJob) -> None:
        holder = worker.holder.actor if worker.holder else None
        if worker.shares_filesystem:
            task = worker.actor.make.remote(entry.job, self._out, holder)
        else:
            rows = entry.groups[entry.sent]
            task = worker.actor.outcomes.remote(rows, self._work.read(rows), holder)
        if not worker.tasks:
            worker.since = time.monotonic()
        worker.tasks[task] = (entry, entry.sent)
        entry.sent += 1

    def _step(self) -> Iterator[CompletedPart]:
        """Wait for one answer, or for a worker to be overdue."""
        import ray

        now = time.monotonic()
        left = [worker.since + self._timeout - now for worker in self._workers if worker.tasks]
        refs = [task for worker in self._workers for task in worker.tasks]
        refs += [worker.greeting for worker in self._workers if worker.shares_filesystem is None]
        refs += [holder.greeting for holder in self._holders if not holder.greeted]
        refs += list(self._searches)
        wait = max(min([*left, LOOK_SECONDS]), 0.0)
        done, _ = ray.wait(refs, num_returns=1, timeout=wait, fetch_local=False)
        for ref in done:
            if ref in self._searches:
                self._take_search(ref)
            elif holder := next((h for h in self._holders if ref == h.greeting), None):
                self._take_greeting(holder)
            else:
                yield from self._take_answer(ref)
        if not done:
            check_alive()
            if not refs or not (left or self._searches):
                self._check_room()
            for worker in [w for w in self._workers if w.tasks]:
                if time.monotonic() - worker.since >= self._timeout:
                    ray.kill(worker.actor)
                    self._died(worker, WorkerDeath(None, overdue=True))

    def _take_answer(self, ref: Any) -> Iterator[CompletedPart]:
        """Take an answer: a greeting, a part, a slice's outcomes, or the worker's death."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        worker = next(w for w in self._workers if ref == w.greeting or ref in w.tasks)
        try:
            answer = ray.get(ref)
        except RayTaskError as error:
            cause = error.cause
            if not isinstance(cause, RayError | Shortage):
                raise cause from None
            check_alive()
            if isinstance(cause, HolderFailure) and worker.holder:
                self._dismiss(worker.holder, worker)
            failed, _ = worker.tasks.get(ref, (None, 0))
            worker.in_flight.sort(key=lambda entry: entry is not failed)
            ray.kill(worker.actor)
            self._died(worker, cause if isinstance(cause, Shortage) else WorkerDeath(None))
            return
        except RayError as error:
            check_alive()
            if worker.shares_filesystem is None:
                self._workers.remove(worker)
                self._count_stillborn(error)
            else:
                self._died(worker, WorkerDeath(None))
            return
        if worker.shares_filesystem is None:
            self._greeted(worker, answer)
            return
        entry, number = worker.tasks.pop(ref)
        worker.since = time.monotonic()
        if isinstance(answer, CompletedPart):
            worker.in_flight.remove(entry)
            yield answer
            return
        entry.by_slice[number], use = answer
        entry.uses.append(use)
        if len(entry.by_slice) == len(entry.groups):
            worker.in_flight.remove(entry)
            uses = entry.uses
            yield assemble(self._work, entry.job, entry.outcomes, self._out, lambda: total(uses))

    def _take_greeting(self, holder: HolderHandle) -> None:
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

    def _dismiss(self, holder: HolderHandle, reporter: WorkerHandle) -> None:
        """End a holder that failed, and with it the other workers that wait for it."""
        import ray

        self._holders.remove(holder)
        ray.kill(holder.actor)
        for worker in [w for w in self._workers if w.holder is holder and w is not reporter]:
            self._workers.remove(worker)
            ray.kill(worker.actor)
            self._pending += [entry.job for entry in worker.in_flight]

    def _greeted(self, worker: WorkerHandle, greeting: Handshake) -> None:
        self._check_same(greeting)
        worker.shares_filesystem, self._stillborn = greeting.shares_filesystem, 0

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

    def _died(self, worker: WorkerHandle, death: WorkerDeath | Shortage) -> None:
        """Do its jobs again; the oldest is the one that it was at."""
        self._workers.remove(worker)
        jobs = [entry.job for entry in worker.in_flight]
        self._alone.update(job.part.key for job in jobs)
        self._pending += jobs[1:]
        for job in jobs[:1]:
            if self._deaths.suspect(job, death):
                self._search(job, travel=not worker.shares_filesystem)
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

    def _take_search(self, ref: Any) -> None:
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
