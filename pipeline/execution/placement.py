"""How many workers a Ray cluster has room for, and of which kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.core.errors import PipelineError


@dataclass(frozen=True)
class Placement:
    """What to start: `workers` on a CPU each, which `holders` of a share of a GPU compute for."""

    workers: int
    gpus: float = 0.0
    holders: int = 0


def place(
    stage: str,
    nodes: Sequence[Mapping[str, float]],
    workers: int | None,
    gpus: float,
    jobs: int,
) -> Placement:
    """Fit so many processes into a cluster; one that found no room would wait for ever.

    Every CPU reads, prepares and writes, also where a GPU computes: the process that holds it does
    little else than to wait for it, and is not counted.

    Parameters
    ----------
    nodes:
        Resources of every living node: `CPU`, `GPU`.
    workers:
        Processes, at most, each of one CPU; None: as many as the cluster has CPUs.
    gpus:
        Share of a GPU that each process asks for that holds one, 0 on CPU.
    jobs:
        Parts to make.

    Raises
    ------
    PipelineError
        No node has what a single worker asks for.
    """
    cpus = sum(int(node.get("CPU", 0.0)) for node in nodes)
    slots = sum(_fit(node.get("GPU", 0.0), gpus) for node in nodes) if gpus else 0
    if not cpus or (gpus and not slots):
        raise PipelineError(_missing(stage, nodes, {"CPU": 1.0} | ({"GPU": gpus} if gpus else {})))
    processes = min(workers or cpus, cpus, jobs)
    return Placement(processes, gpus, min(slots, processes))


def _missing(stage: str, nodes: Sequence[Mapping[str, float]], needed: Mapping[str, float]) -> str:
    available = {kind: sum(node.get(kind, 0.0) for node in nodes) for kind in needed}
    short = [kind for kind, n in needed.items() if n > available[kind]]
    lacking = short or list(needed)
    asked = ", ".join(f"{needed[kind]:g} {kind}" for kind in lacking)
    offered = ", ".join(f"{available[kind]:g} {kind}" for kind in lacking)
    together = "" if short else ", but no node has them together"
    return (
        f"{stage}: a worker needs {asked}, the Ray cluster has {offered}{together}; "
        f"change execution.gpus_per_worker or the feature set's device, or add such a node"
    )


def _fit(available: float, each: float) -> int:
    """Workers that fit, where a share of a GPU must lie on one of them."""
    return int(available) * int(1 / each + 1e-9) if each < 1 else int(available // each)
