"""`pipeline promote`: the best of a model's experiments becomes what params.yaml says."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.errors import handle_errors
from pipeline.cli.output import show
from pipeline.core.errors import PipelineError, unknown
from pipeline.core.terminal import say

if TYPE_CHECKING:
    from pipeline.params.trials import Trial

PARAMS = Path("params.yaml")


@handle_errors
def promote(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A name of `models`.")],
    metric: Annotated[
        str,
        typer.Option(help="Headline of validation, such as ece; if none, what models rank by."),
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, and write nothing.")
    ] = False,
) -> None:
    """Write the values of a model's best experiment into params.yaml.

    Best is the best on the validation split; the test split is not looked at.
    """
    from pipeline.params import load, trials
    from pipeline.params.promotion import other_changes, promoted, remember

    known = load(PARAMS).models
    if model not in known:
        raise PipelineError(unknown("model", model, known))
    experiments = trials.read(trials.show_experiments(), model, metric)
    ranked = trials.ranked(experiments)
    winner = ranked[0]
    columns = ("best", "experiment", "validation", "options", "state")
    show(_rows(ranked, experiments.baseline, model), columns, False)
    if winner is experiments.baseline:
        say("no experiment is better than what stands; params.yaml is left as it is")
        return
    before = PARAMS.read_text(encoding="utf-8")
    after = promoted(before, experiments, winner, model)
    if others := other_changes(experiments, winner):
        say(f"{winner.name} also had another {', '.join(others)}: not written", error=True)
    if dry_run:
        say(_difference(before, after), end="")
        return
    _write(after)
    kept = remember(winner)
    say(
        f"params.yaml has the values of {winner.name}; `dvc repro` "
        + ("brings its model back from the cache" if kept else "trains it")
    )


def _rows(ranked: Sequence[Trial], standing: Trial, model: str) -> list[dict[str, object]]:
    """What was tried, the best first."""
    from pipeline.params.promotion import options
    from pipeline.params.yaml_edit import MISSING, to_inline_yaml

    def changes_of(trial: Trial) -> str:
        changes = options(trial, standing, model).items()
        return ", ".join(
            f"{'.'.join(map(str, path))}: {'gone' if value is MISSING else to_inline_yaml(value)}"
            for path, value in changes
        )

    return [
        {
            "best": "" if position else "*",
            "experiment": trial.name,
            "validation": trial.score,
            "options": changes_of(trial),
            "state": trial.state,
        }
        for position, trial in enumerate(ranked)
    ]


def _difference(before: str, after: str) -> str:
    old, new = (text.splitlines(keepends=True) for text in (before, after))
    return "".join(difflib.unified_diff(old, new, str(PARAMS), str(PARAMS)))


def _write(text: str) -> None:
    from pipeline.core.files.atomic import atomic_write

    with atomic_write(PARAMS) as temporary:
        temporary.write_text(text, encoding="utf-8")
