"""Ray that does not start, or is not to be had: what is wrong, where, what to do, in a sentence."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from pipeline.core.errors import PipelineError
from pipeline.execution.ray import RayExecutor
from tests.execution.reading import bring

BARE = Exception(
    "The current node timed out during startup.\n  File x.py, line 1\nIt may be late. "
)


def ray_that_raises(error: Exception) -> ModuleType:
    ray = ModuleType("ray")

    def init(**options: object) -> None:
        raise error

    vars(ray).update(init=init, is_initialized=lambda: False, shutdown=lambda: None)
    return ray


@pytest.mark.parametrize(
    ("ray", "message"),
    [
        (None, r"^Ray cannot be loaded \(.*: pip install ray, or write `execution: {executor: pro"),
        (
            ray_that_raises(BARE),
            r"^Ray does not start on this machine: The current node timed out during startup\. "
            r"It may be late\. Give it room in memory, in /dev/shm and .* or write `execution: {e",
        ),
        (
            ray_that_raises(FileNotFoundError(2, "No such file or directory", "/dev/shm")),
            r"^Ray does not start .*: '/dev/shm'\. Give it room",
        ),
        (ray_that_raises(AssertionError()), r"^Ray does not start .*: AssertionError\. Give it"),
    ],
)
def test_ray_that_does_not_start_ends_in_a_sentence(
    inside: Path, monkeypatch: pytest.MonkeyPatch, ray: ModuleType | None, message: str
) -> None:
    monkeypatch.setitem(sys.modules, "ray", ray)
    with pytest.raises(PipelineError, match=message):
        bring(RayExecutor(1))


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1:99999", "here:\N{SUPERSCRIPT TWO}"])
def test_where_no_cluster_can_be_is_said(inside: Path, address: str) -> None:
    with pytest.raises(PipelineError, match=f"no Ray cluster answers at '{address}'; start one"):
        bring(RayExecutor(1, address=address))


def test_a_cluster_that_lets_nobody_join_is_named(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", ray_that_raises(BARE))
    with pytest.raises(PipelineError, match="cannot join the Ray cluster at 'auto': The current"):
        bring(RayExecutor(1, address="auto"))
