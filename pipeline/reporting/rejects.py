"""Rejects: what did not go through, by stage and reason, with examples."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from pipeline.reporting.inputs import Absent, ReportInputs
from pipeline.reporting.options import ReportOptions
from pipeline.reporting.plots.rows import bar
from pipeline.store.rejects import named
from pipeline.store.trees.tree import WorkTree


def build(inputs: ReportInputs, options: ReportOptions) -> dict[str, Any] | Absent:
    if not inputs.stages:
        return Absent("No stage has finished yet.")
    tree = WorkTree(inputs.root)
    stages = []
    for stage in inputs.stages:
        if not stage.rejected:
            continue
        by_reason = sorted(stage.rejects, key=lambda reject: (reject.reason, reject))
        groups = [(k, list(group)) for k, group in groupby(by_reason, lambda r: r.reason)]
        groups.sort(key=lambda item: (-len(item[1]), item[0]))
        stages.append(
            {
                "stage": stage.name,
                "rejected": stage.rejected,
                "total": stage.rows + stage.rejected,
                "reasons": [
                    {
                        "reason": reason,
                        "n": len(refused),
                        "examples": named(tree, refused[: options.rejects]),
                        "more": max(0, len(refused) - options.rejects),
                        "plot": bar(
                            len(refused) / stage.rejected,
                            f"{len(refused)} of {stage.rejected} rejects",
                            "rejects",
                        ),
                    }
                    for reason, refused in groups
                ],
            }
        )
    return {
        "stages": stages,
        "total": sum(stage["rejected"] for stage in stages),
        "clean": [stage.name for stage in inputs.stages if not stage.rejected],
    }
