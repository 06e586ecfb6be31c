"""What computes for a plan: this machine's processor, or the GPU of a worker of the cluster."""

from __future__ import annotations

import functools
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.machine.processor import processor
from pipeline.execution.cluster import check_alive, joined, nodes
from pipeline.execution.options import ExecutionOptions
from pipeline.execution.ray_session import brief

# For a worker to start that loads torch; a GPU that others hold so long is not to be had.
SECONDS = 180.0
# Of a GPU: asking for its name takes none of it.
SHARE = 0.001


def processor_on(device: str | None, options: ExecutionOptions) -> str:
    """The processor in the key of what is computed on a device.

    The machine that plans need not have the GPU: on a cluster, a worker that has one is asked.

    Raises
    ------
    PipelineError
        There is no such device, here or on the cluster.
    """
    if device != "cuda" or options.address is None:
        return processor(device)
    return _asked(options.address)


@functools.cache
def _asked(address: str) -> str:
    with joined(address, 1) as variables:
        import ray
        from ray.exceptions import RayError, RayTaskError

        if not any(node.get("GPU") for node in nodes()):
            raise PipelineError(
                f"params.yaml asks for `device: cuda`, but no node of the Ray cluster at "
                f"'{address}' has a GPU; add one, or write `device: cpu`"
            )
        remote: Any = ray.remote(num_cpus=0, num_gpus=SHARE)
        task = remote(processor).options(runtime_env={"env_vars": variables} if variables else None)
        answer = task.remote("cuda")
        done, _ = ray.wait([answer], timeout=SECONDS)
        if not done:
            check_alive()
            ray.cancel(answer, force=True)
            raise PipelineError(
                f"no GPU of the Ray cluster at '{address}' was free in {SECONDS:.0f} s; look for "
                f"other users of it (`ray status`)"
            )
        try:
            name: str = ray.get(answer)
        except RayTaskError as error:
            if isinstance(error.cause, PipelineError):
                raise error.cause from None
            raise _no_answer(error) from None
        except RayError as error:
            check_alive()
            raise _no_answer(error) from None
    return name


def _no_answer(error: Exception) -> PipelineError:
    return PipelineError(
        f"a GPU worker of the Ray cluster could not name its GPU; this project must be installed "
        f"on every node. Ray says: {brief(error)}"
    )
