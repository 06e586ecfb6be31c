"""Run one stage by name, alone on its output, recorded, and dying with the DVC that started it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from pipeline.core.errors import PipelineError, unknown
from pipeline.core.files.atomic import remove_abandoned
from pipeline.execution.run_record import recorded, summary_of
from pipeline.params import Params, load
from pipeline.parts.summary import Summary
from pipeline.parts.up_to_date import skip_if_up_to_date
from pipeline.stages.graph import STAGES, items, label


class Planned(Protocol):
    """What a stage is going to do.

    `key` is the digest of all that `outs` are made from; the stage need not run if both are as
    they were. An empty key says that the stage looks for itself.
    """

    @property
    def key(self) -> str: ...

    @property
    def outs(self) -> list[Path]: ...

    def run(self) -> Summary: ...


Planner = Callable[[Params, str], Planned]


def run_stage(name: str, item: str) -> str:
    """Run a stage and say in a line what it did.

    Raises
    ------
    PipelineError
        params.yaml is wrong, the stage or the item does not exist, or the stage failed.
    OSError
        A file or a folder failed, or the disk is full.
    """
    from pipeline.execution.parent_watch import die_with_dvc

    die_with_dvc()
    remove_abandoned()
    params = load()
    planner = find(params, name, item)
    stage = label(name, item)
    with recorded(stage) as record:
        planned = planner(params, item)
        record["key"] = planned.key
        summary = skip_if_up_to_date(stage, planned.key, planned.outs, planned.run)
        record.update(summary_of(summary))
    return f"{stage}: {_summary_text(summary)}{_retry_advice(stage, summary)}"


def find(params: Params, name: str, item: str) -> Planner:
    """What plans a stage; PipelineError listing the known ones if there is none of that name."""
    from importlib import import_module

    if name not in STAGES:
        raise PipelineError(unknown("stage", name, STAGES))
    known = items(params, name)
    if not known:
        raise PipelineError(f"{name}: params.yaml names nothing that it could be for")
    if item not in known:
        raise PipelineError(f"{name}: {unknown('item', item, known)}")
    planner: Planner = import_module(f"pipeline.stages.plans.{name}").plan
    return planner


def _retry_advice(stage: str, summary: Summary) -> str:
    """How to have rows tried again that no row function refused: DVC sees no reason to."""
    if not summary.provisional:
        return ""
    return (
        f"\n{stage}: what failed, crashed or timed out is tried again when the stage next runs: "
        f"`dvc repro --single-item --force {stage.replace('/', '@')}`"
    )


def _summary_text(summary: Summary) -> str:
    if not summary.planned:
        return "nothing to do"
    text = f"{summary.rows} rows, {summary.rejected} rejected"
    if summary.reasons:
        reasons = ", ".join(f"{n} {reason}" for reason, n in summary.reasons.items())
        text += f" ({reasons})"
    counts = {
        name: getattr(summary, name) for name in ("computed", "restored", "reused", "removed")
    }
    parts = ", ".join(f"{n} {name}" for name, n in counts.items() if n or name == "computed")
    text += f"; parts: {parts}"
    if summary.computed_rows or summary.reused_rows:
        text += f"; {summary.computed_rows} {summary.verb}"
    if summary.reused_rows:
        text += f", {summary.reused_rows} taken over"
    return text
