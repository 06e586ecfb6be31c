"""How work is run: the one section of params.yaml that no key ever sees."""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import AfterValidator, Field

from pipeline.core import registry
from pipeline.core.errors import unknown
from pipeline.core.options import Options

# Where executors stand, and what is none of them but the choice between those of the project.
FOLDER = "execution/executors"
AUTO = "auto"


def _known(name: str) -> str:
    kinds = [AUTO, *registry.names(FOLDER)]
    if name not in kinds:
        raise ValueError(unknown("executor", name, kinds))
    return name


class ExecutionOptions(Options):
    """Where and how wide work runs. Changing any of these changes no output."""

    executor: Annotated[str, AfterValidator(_known)] = Field(
        AUTO,
        description="a file of pipeline/execution/executors; auto: Ray where a cluster address is "
        "set or the work is long enough to carry Ray's fixed cost; else processes of this machine, "
        "on a GPU one",
    )
    workers: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="worker processes; empty: the CPUs this process may use, or the cluster's",
    )
    gpus_per_worker: float = Field(
        1.0,
        gt=0,
        le=8,
        description="share of a GPU for each process that holds an encoder on cuda; all CPUs feed "
        "these",
    )
    ray_address: str | None = Field(
        None, description="Ray cluster to join; RAY_ADDRESS in the environment goes before it"
    )
    timeout: float = Field(
        3600.0,
        gt=0,
        description="seconds that a part may take; past it the row at fault is looked for",
    )

    @property
    def address(self) -> str | None:
        """The Ray cluster to join, if any."""
        return os.environ.get("RAY_ADDRESS") or self.ray_address
