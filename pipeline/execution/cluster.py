"""The Ray cluster that a stage works on: one that runs already, the graph's own, or the stage's.

A cluster named by RAY_ADDRESS or execution.ray_address is used and left running. Under DVC the
first stage that needs Ray starts a head that serves all stages of that run (see `head`); a stage
that runs by itself starts Ray for itself.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.machine.environment import inherited
from pipeline.execution.parent_watch import dvc_above
from pipeline.execution.ray_head import address_of, authenticate, remove_stale
from pipeline.execution.ray_session import answers, brief, connect, session


@contextmanager
def joined(address: str | None, cpus: int) -> Iterator[dict[str, str]]:
    """Be a driver on a cluster; gives the environment that its workers must still be given.

    Parameters
    ----------
    address:
        Of a cluster that runs; None: one of this machine's own.
    cpus:
        Processes that a cluster started here has room for.

    Raises
    ------
    PipelineError
        No cluster answers, none could be started, or Ray itself fails under the work.
    """
    with _as_pipeline_error(), _joined(address, cpus) as variables:
        yield variables


@contextmanager
def _as_pipeline_error() -> Iterator[None]:
    """Turn what Ray says of itself into a PipelineError; let through what the work raises."""
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:
        # Not before it is needed: Ray must not be loaded before it is set up.
        from ray.exceptions import RayError, RayTaskError

        if not isinstance(error, RayError) or isinstance(error, RayTaskError):
            raise
        raise PipelineError(
            f"Ray failed ({type(error).__name__}: {brief(error)}). Finished parts stand; run again."
        ) from error


@contextmanager
def _joined(address: str | None, cpus: int) -> Iterator[dict[str, str]]:
    loaded = sys.modules.get("ray")
    if loaded is not None and loaded.is_initialized():
        yield inherited()
        return
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if address is not None:
        _check_answers(address)
    else:
        authenticate()
    owner = None if address else dvc_above()
    running = address or (address_of(owner, cpus) if owner else None)
    if running is None:
        with session(cpus):
            yield {}
        return

    import ray

    try:
        connect(address=running)
        yield inherited() if address else {}
    except RayDied:
        remove_stale()
        raise
    finally:
        ray.shutdown()


class RayDied(PipelineError):
    """Ray is gone: it must be asked nothing more, since it would wait a minute and end us."""


def nodes() -> list[dict[str, float]]:
    """Resources of every node that is alive."""
    import ray

    listed: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node["Resources"] for node in listed if node["Alive"]]


def check_alive() -> None:
    """Ask the head and this machine's node, since Ray waits for the dead in silence.

    Raises
    ------
    RayDied
        One of them does not answer.
    """
    import ray

    context = ray.get_runtime_context()
    here = context.get_node_id()
    if answers(context.gcs_address):
        for node in ray.nodes():  # type: ignore[no-untyped-call]
            if node["NodeID"] == here:
                if answers(f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}"):
                    return
                break
    raise RayDied(
        "Ray died under the work (its head, or its node on this machine). Finished parts stand; "
        "look for memory pressure, and run again."
    )


def _check_answers(address: str) -> None:
    """Ray itself tries an address that nobody answers at for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host:  # `auto`, or a name that only Ray understands
        return
    if not port.isdigit() or not answers(f"{host}:{port}"):
        raise PipelineError(
            f"no Ray cluster answers at '{address}'; start one (`ray start --head`), or leave "
            f"execution.ray_address and RAY_ADDRESS empty"
        )
