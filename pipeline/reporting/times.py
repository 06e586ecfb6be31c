"""What training and evaluating each model took here: of run records, so of no versioned page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pipeline.core.errors import PipelineError
from pipeline.core.folders import EVALUATION, MODELS
from pipeline.execution import run_record
from pipeline.parts import artifact
from pipeline.reporting.format import count, humanize

HEADS = (
    "model",
    "training, s",
    "examples/s",
    "data wait, %",
    "evaluation, s",
    "inference, ms/sample",
)
NOTE = (
    "Wall time on this machine of the runs that made what is shown; a dash where the cache gave it "
    "back, or another machine. The wait for data is a share of the steps' time. Evaluation "
    "resamples and explains too; inference is answering the test split alone, from its features, "
    "on the CPU."
)
DASH = "\N{EN DASH}"
ROW = Markup('<tr><th scope="row">{}</th>{}</tr>')
HEAD = Markup('<th scope="col">{}</th>')
CELL = Markup("<td>{}</td>")
TABLE = Markup(
    '<details class="times"><summary>Time and throughput</summary>'
    '<div class="scroll" tabindex="0" role="region" aria-label="Time and throughput">'
    '<table class="figures"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    '<p class="small">{}</p></details>'
)


@dataclass(frozen=True)
class Durations:
    """What one model took; None where no run of this machine made it.

    `training` and `evaluation` are the stages' seconds, `inference` milliseconds a sample. `wait`
    is the share of the steps' time that went into waiting for batches; `resumed` the epoch from
    which a killed training went on, before which nothing is counted.
    """

    model: str
    training: float | None = None
    evaluation: float | None = None
    inference: float | None = None
    examples_per_second: float | None = None
    wait: float | None = None
    resumed: int = 0


def model_durations(root: Path) -> list[Durations]:
    """Of each evaluated model under a data directory, by name; empty if nothing is known."""
    models = sorted(path.parent.name for path in root.glob(f"{EVALUATION}/*/manifest.json"))
    durations = [_durations(root, name) for name in models]
    measured = any(
        duration.training is not None or duration.evaluation is not None for duration in durations
    )
    return durations if measured else []


def durations_table(durations: Sequence[Durations]) -> Markup:
    """The table for the leaderboard; nothing where there is nothing to show."""
    if not durations:
        return Markup()
    rows = (
        ROW.format(humanize(duration.model), Markup().join(map(CELL.format, _cells(duration))))
        for duration in durations
    )
    return TABLE.format(Markup().join(map(HEAD.format, HEADS)), Markup().join(rows), NOTE)


def _durations(root: Path, model: str) -> Durations:
    trained = _run_record("train", root / MODELS / model)
    evaluated = _run_record("evaluate", root / EVALUATION / model)
    training, inference = trained.get("training") or {}, evaluated.get("inference") or {}
    return Durations(
        model,
        trained.get("seconds"),
        evaluated.get("seconds"),
        1000 * inference["seconds"] / inference["samples"] if inference.get("samples") else None,
        training.get("examples_per_second"),
        training.get("data_wait"),
        int(training.get("resumed", 0)),
    )


def _run_record(stage: str, out: Path) -> dict[str, Any]:
    """The record of the run that computed this output; of another output's run none."""
    try:
        key = artifact.read_manifest(out)["key"]
    except PipelineError:
        return {}
    matching = (
        record
        for record in reversed(run_record.records(f"{stage}/{out.name}"))
        if record.get("key") == key
        and record.get("outcome") == "done"
        and record.get("computed", 0)
    )
    return next(matching, {})


def _cells(duration: Durations) -> Iterator[str]:
    training = _figure(duration.training)
    yield f"{training} (from epoch {duration.resumed})" if duration.resumed else training
    yield DASH if duration.examples_per_second is None else count(duration.examples_per_second)
    yield _figure(None if duration.wait is None else 100 * duration.wait)
    yield _figure(duration.evaluation)
    yield DASH if duration.inference is None else f"{duration.inference:.3f}"


def _figure(value: float | None) -> str:
    return DASH if value is None else f"{value:.1f}"
