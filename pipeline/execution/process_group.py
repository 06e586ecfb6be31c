"""Processes on Ray that do one thing together; when one of them dies, all begin again.

Ray Train does this too, but needs pandas, which would be loaded with pyarrow by every process of
the project; what it adds to actors is what stands here.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pipeline.core.errors import PipelineError
from pipeline.execution.cluster import check_alive, joined, nodes
from pipeline.execution.options import ExecutionOptions
from pipeline.execution.parent_watch import die_with_parent

T = TypeVar("T")
# How often all begin; whoever keeps a state goes on from there.
ATTEMPTS = 3
# Ray tells nobody that its head died, so it is asked this often.
LOOK_SECONDS = 5.0
# When one has failed the others soon do too, and only one of them says why.
SETTLE_SECONDS = 5.0


def run_distributed(
    work: Callable[[int, int, str], T], size: int, options: ExecutionOptions, device: str = "cpu"
) -> T:
    """Call `work(rank, size, address)` in `size` processes at once; what rank 0 gives.

    A single one is this process, unless it needs a GPU of the cluster.

    Parameters
    ----------
    work:
        Travels to the processes. At `address`, `host:port`, rank 0 may listen and the others find
        it. It is called anew, in new processes, when one of them died.
    device:
        With `cuda` each process has a GPU of its own.

    Raises
    ------
    PipelineError
        There is no room for so many, they died three times, or `work` raised it.
    """
    if size == 1 and not (options.address and device == "cuda"):
        return work(0, 1, "")
    check_room(size, options)
    cpus = max(size, len(os.sched_getaffinity(0)))
    with joined(f"{size} workers together", options.address, cpus) as variables:
        gpus = int(device == "cuda")
        _check_cluster(size, gpus)
        for _ in range(ATTEMPTS):
            outcomes = _attempt(work, size, gpus, variables)
            if not any(isinstance(one, Exception) for one in outcomes):
                first: T = outcomes[0]
                return first
            _raise_own(outcomes)
    raise PipelineError(
        f"a worker died in each of {ATTEMPTS} attempts: look for memory pressure, and run again; "
        f"it goes on from where they were"
    )


def check_room(size: int, options: ExecutionOptions) -> None:
    """PipelineError if this machine, when it is to be the cluster, has fewer CPUs."""
    here = len(os.sched_getaffinity(0))
    if size > here and not options.address:
        raise PipelineError(
            f"{size} workers need as many CPUs, and this process may use {here}: lower `workers`, "
            f"or name a Ray cluster in execution.ray_address"
        )


def _check_cluster(size: int, gpus: int) -> None:
    for kind, each in (("CPU", 1), ("GPU", gpus)):
        available = sum(node.get(kind, 0.0) for node in nodes())
        if available < size * each:
            raise PipelineError(
                f"{size} workers need a {kind} each, and the Ray cluster has {available:g}: lower "
                f"`workers`, or add nodes"
            )


def _attempt(work: Callable[..., T], size: int, gpus: int, variables: dict[str, str]) -> list[Any]:
    """By rank what came of it: a result, or an exception."""
    import ray

    options: dict[str, Any] = {"num_cpus": 1, "num_gpus": gpus}
    if variables:
        # Of the worker and not of the driver: these go before a job's own, without a conflict.
        options["runtime_env"] = {"env_vars": variables}
    kind: Any = ray.remote(**options)(_Rank)
    actors = [kind.remote() for _ in range(size)]
    try:
        try:
            address = ray.get(actors[0].address.remote())
        except ray.exceptions.RayError as error:
            check_alive()
            return [error]
        tasks = [actor.do.remote(work, i, size, address) for i, actor in enumerate(actors)]
        return _wait(tasks)
    finally:
        for actor in actors:
            ray.kill(actor)


def _wait(tasks: Sequence[Any]) -> list[Any]:
    """Wait for all, or for one that failed and a little for the others."""
    import ray

    outcomes: dict[Any, Any] = {}
    failed = False
    while len(outcomes) < len(tasks):
        left = [task for task in tasks if task not in outcomes]
        done, _ = ray.wait(left, num_returns=1, timeout=SETTLE_SECONDS if failed else LOOK_SECONDS)
        if not done:
            check_alive()
            if failed:
                break
        for task in done:
            try:
                outcomes[task] = ray.get(task)
            except ray.exceptions.RayError as error:
                outcomes[task], failed = error, True
    return [outcomes.get(task) for task in tasks]


def _raise_own(outcomes: Sequence[Any]) -> None:
    """Raise what the work itself raised; not where a process died, of which others complain."""
    from ray.exceptions import RayTaskError

    causes = [one.cause for one in outcomes if isinstance(one, RayTaskError)]
    for cause in causes:
        if isinstance(cause, PipelineError):
            raise cause from None
    died = any(isinstance(o, Exception) and not isinstance(o, RayTaskError) for o in outcomes)
    if causes and not died:
        check_alive()
        raise causes[0]


class _Rank:
    """One of the processes."""

    def __init__(self) -> None:
        # Of a dead node's workers, some would work on for a minute.
        die_with_parent()

    def address(self) -> str:
        """Where this process can be met: of its node, a port that is free now."""
        import ray

        with socket.socket() as free:
            free.bind(("", 0))
            host = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
            return f"{host}:{free.getsockname()[1]}"

    def do(self, work: Callable[[int, int, str], T], rank: int, size: int, address: str) -> T:
        return work(rank, size, address)
