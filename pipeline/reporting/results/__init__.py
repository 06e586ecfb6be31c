"""What a finished project came to, in Markdown: for the page of a recipe, and for whoever asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pipeline.core.errors import PipelineError, unknown
from pipeline.core.folders import COMPARISON, VERIFICATION
from pipeline.execution.run_record import last_made
from pipeline.reporting.inputs import ReportInputs
from pipeline.reporting.results.comparison import comparison_tables
from pipeline.reporting.results.spaces import space_tables
from pipeline.reporting.results.tasks import task_table
from pipeline.reporting.results.verification import verification_tables

# Between these a page holds what was written there last.
BEGIN, END = "<!-- results -->", "<!-- /results -->"


def results(
    inputs: ReportInputs, stages: Mapping[str, Sequence[str]], figures: Sequence[str]
) -> str:
    """Figures on the test split with their intervals, the comparison, time and memory.

    Parameters
    ----------
    stages:
        The command that runs them → labels of its stages.
    figures:
        Those that are shown; empty: the headlines of each task.

    Raises
    ------
    PipelineError
        Nothing is evaluated, compared or verified, or no model has a figure of that name.
    """
    known = {
        name
        for model in inputs.evaluated
        for task in model.tasks
        for name in model.task(task).FIGURES
    }
    if wrong := [name for name in figures if name not in known]:
        raise PipelineError(unknown("figure", wrong[0], known))
    tasks = dict.fromkeys(task for model in inputs.evaluated for task in model.tasks)
    blocks = [
        *(task_table(inputs, task, figures) for task in tasks),
        *space_tables(inputs),
        *comparison_tables(inputs.root / COMPARISON),
        *verification_tables(inputs.root / VERIFICATION),
    ]
    if not (blocks or inputs.aligned):
        raise PipelineError("no model is evaluated, compared or verified yet: run `dvc repro`")
    return "\n\n".join([*blocks, *_costs(stages)]) + "\n"


def put_results(page: Path, text: str) -> None:
    """Put results between the marks of a page, in place of those that stood there.

    Raises
    ------
    PipelineError
        The page is not there, or has no such marks.
    """
    try:
        before, begin, rest = page.read_text(encoding="utf-8").partition(f"{BEGIN}\n")
    except FileNotFoundError:
        raise PipelineError(f"there is no page {page}") from None
    except UnicodeDecodeError:
        raise PipelineError(f"{page} is no page: it is not written in UTF-8") from None
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise PipelineError(f"{page} has no lines `{BEGIN}` and `{END}`: add them where results go")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def _costs(stages: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Time and memory of the runs of this machine that made what stands here."""
    for command, labels in stages.items():
        runs = [run for run in map(last_made, labels) if run]
        if not runs:
            continue
        minutes, cpu = (sum(run[name] for run in runs) / 60 for name in ("seconds", "cpu_seconds"))
        memory = max(run["peak_mb"] for run in runs) / 1000
        yield (
            f"`{command}`: {minutes:.1f} minutes, {cpu:.1f} of a processor's; the largest process "
            f"took {memory:.1f} GB."
        )
