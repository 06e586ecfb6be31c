"""How many workers a Ray cluster has room for, and of which kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.core.errors import PipelineError

# More would wait for the GPU: each prepares rows while it computes.
MOST_FEEDERS = 8


@dataclass(frozen=True)
class Placement:
    """What to start: `workers` that hold the encoder, each fed by `feeders` CPU actors."""

    workers: int
    gpus: float
    feeders: int = 0


def place(
    stage: str,
    nodes: Sequence[Mapping[str, float]],
    workers: int | None,
    gpus: float,
    jobs: int,
) -> Placement:
    """Fit so many processes into a cluster; one that found no room would wait for ever.

    Where workers ask for a GPU, half of the processes at most hold the encoder; the others decode
    for them.

    Parameters
    ----------
    nodes:
        Resources of every living node: `CPU`, `GPU`.
    workers:
        Processes, at most, each of one CPU; None: as many as the cluster has CPUs.
    gpus:
        Share of a GPU that a worker asks for, 0 on CPU.
    jobs:
        Parts to make.

    Raises
    ------
    PipelineError
        No node has what a single worker asks for.
    """
    needed = {"CPU": 1.0} | ({"GPU": gpus} if gpus else {})
    slots = sum(min(_fit(node.get(kind, 0.0), n) for kind, n in needed.items()) for node in nodes)
    if not slots:
        raise PipelineError(_missing(stage, nodes, needed))
    cpus = sum(int(node.get("CPU", 0.0)) for node in nodes)
    processes = min(workers or cpus, cpus)
    if not gpus:
        return Placement(min(processes, slots, jobs), 0.0)
    holders = min(max(1, processes // 2), slots, jobs)
    return Placement(holders, gpus, min((processes - holders) // holders, MOST_FEEDERS))


def _missing(stage: str, nodes: Sequence[Mapping[str, float]], needed: Mapping[str, float]) -> str:
    there = {kind: sum(node.get(kind, 0.0) for node in nodes) for kind in needed}
    short = [kind for kind, n in needed.items() if n > there[kind]]
    lacking = short or list(needed)
    asked = ", ".join(f"{needed[kind]:g} {kind}" for kind in lacking)
    found = ", ".join(f"{there[kind]:g} {kind}" for kind in lacking)
    together = "" if short else ", but no node has them together"
    return (
        f"{stage}: a worker needs {asked}, the Ray cluster has {found}{together}; "
        f"change execution.gpus_per_worker or the feature set's device, or add such a node"
    )


def _fit(there: float, each: float) -> int:
    """Workers that fit, where a share of a GPU must lie on one of them."""
    return int(there) * int(1 / each + 1e-9) if each < 1 else int(there // each)
