"""Run one stage by name, alone on its output, recorded, and dying with the DVC that started it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from pipeline.core.errors import PipelineError, unknown
from pipeline.core.files.atomic import remove_abandoned
from pipeline.execution.run_record import recorded, summary_of
from pipeline.params import Params, load
from pipeline.parts.plan import Summary
from pipeline.parts.up_to_date import skip_if_up_to_date


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


Stage = Callable[[Params, str], Planned]
# The stages of comparison/dvc.yaml, which `dvc repro` passes over.
APART = ("crossvalidate", "compare")


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
    stage = find(params, name, item)
    label = f"{name}/{item}" if item else name
    with recorded(label) as record:
        planned = stage(params, item)
        record["key"] = planned.key
        summary = skip_if_up_to_date(label, planned.key, planned.outs, planned.run)
        record.update(summary_of(summary))
    return f"{label}: {_line(summary)}{_again(label, summary)}"


def items(params: Params) -> dict[str, tuple[str, ...]]:
    """Stage → what it fans out over; the empty name for a stage that stands alone."""
    compared = tuple(params.comparison.models) if params.comparison else ()
    return {
        "code": ("",),
        "params": ("",),
        "fetch": tuple(params.fetch),
        "look": params.look,
        "ingest": ("",),
        "clean": params.modalities,
        "augment": params.modalities,
        "extract": tuple(params.features),
        "curate": ("",),
        "train": tuple(params.models),
        "evaluate": tuple(params.models),
        "report": ("",),
        "crossvalidate": compared,
        "compare": ("",) if compared else (),
    }


def labels(params: Params) -> list[str]:
    """Every stage as its records name it: `ingest`, `clean/image` and so on."""
    return [
        f"{name}/{item}" if item else name for name, fan in items(params).items() for item in fan
    ]


def find(params: Params, name: str, item: str) -> Stage:
    """What plans a stage; PipelineError listing the known ones if there is none of that name."""
    from importlib import import_module

    fans = items(params)
    if name not in fans:
        raise PipelineError(unknown("stage", name, fans))
    if not fans[name]:
        raise PipelineError(f"{name}: params.yaml names nothing that it could be for")
    if item not in fans[name]:
        raise PipelineError(f"{name}: {unknown('item', item, fans[name])}")
    stage: Stage = import_module(f"pipeline.stages.plans.{name}").plan
    return stage


def _again(label: str, summary: Summary) -> str:
    """How to have rows tried again that no row function refused: DVC sees no reason to."""
    if not summary.provisional:
        return ""
    return (
        f"\n{label}: what failed, crashed or timed out is tried again when the stage next runs: "
        f"`dvc repro --single-item --force {label.replace('/', '@')}`"
    )


def _line(summary: Summary) -> str:
    if not summary.planned:
        return "nothing to do"
    text = f"{summary.rows} rows, {summary.rejected} rejected"
    if summary.reasons:
        reasons = ", ".join(f"{n} {reason}" for reason, n in summary.reasons.items())
        text += f" ({reasons})"
    parts = {name: getattr(summary, name) for name in ("computed", "restored", "reused", "removed")}
    told = ", ".join(f"{n} {name}" for name, n in parts.items() if n or name == "computed")
    work = f"; {summary.computed_rows} {summary.verb}" + (
        f", {summary.reused_rows} taken over" if summary.reused_rows else ""
    )
    return f"{text}; parts: {told}{work if summary.computed_rows or summary.reused_rows else ''}"
