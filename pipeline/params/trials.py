"""What DVC's experiments on the commit at hand tried for one model, and how each scored."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.core.complaint import complaint
from pipeline.core.errors import PipelineError, unknown
from pipeline.core.folders import DATA, EVALUATION, MODELS
from pipeline.models.tasks import kinds, task_of
from pipeline.store.trees.git import check_repository

STANDING = "standing"


@dataclass(frozen=True)
class Trial:
    """One experiment.

    Parameters
    ----------
    params:
        The whole of its params.yaml, as DVC reads it.
    score, metric:
        A figure on the validation split, and which; None and empty where it was not measured. The
        test split is never read: choosing by it would spoil what it says of the chosen.
    made:
        Manifest of what the model's stages made → its MD5, DVC's name for it.
    """

    name: str
    state: str
    params: Mapping[str, Any]
    score: float | None = None
    metric: str = ""
    made: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Trials:
    """The experiments of one model, and what they are compared with.

    `workspace` is params.yaml as it is now; `standing` is the commit that the experiments began
    from.
    """

    workspace: Mapping[str, Any]
    baseline: Trial
    tried: Sequence[Trial]


def show_experiments() -> list[dict[str, Any]]:
    """What `dvc exp show --json` says.

    Raises
    ------
    PipelineError
        DVC cannot tell; in its words. Or this is no git repository of this user.
    """
    check_repository(Path())  # of another user's, DVC says that there is no commit
    command = [sys.executable, "-m", "dvc", "exp", "show", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PipelineError(f"`dvc exp show` failed and says: {complaint(done.stderr)}")
    experiments: list[dict[str, Any]] = json.loads(done.stdout)
    return experiments


def read(document: Sequence[Mapping[str, Any]], model: str, metric: str = "") -> Trials:
    """The experiments on the newest commit in which the model's options are not the commit's.

    Parameters
    ----------
    document:
        What `show_experiments` gives: the workspace, then the commit with its experiments.
    metric:
        A figure of the validation split; by default the one that the report ranks by.

    Raises
    ------
    PipelineError
        There is no commit, or none that has the model, or no experiment on it; none has other
        options for this model; or the metric is unknown.
    """
    if len(document) < 2:
        raise PipelineError(
            "there is no commit yet: experiments begin from one; commit, then queue"
        )
    commit = document[1]
    standing = _trial(STANDING, "success", commit, model, metric)
    every = [
        _trial(str(rev["name"] or rev["rev"][:7]), _state(experiment), rev, model, metric)
        for experiment in commit.get("experiments") or ()
        for rev in experiment.get("revs") or ()
    ]
    if not every:
        raise PipelineError(
            f"there are no experiments on this commit: queue some, as with\n  dvc exp run --queue "
            f"-S '++models.{model}.learning_rate=0.001,0.002' evaluate@{model}\n"
            f"  dvc exp run --run-all"
        )
    before = _options(standing, model)
    if before is None:
        raise PipelineError(
            f"params.yaml of the commit that the experiments began from has no model '{model}' to "
            f"compare them with: commit params.yaml first, then queue again"
        )
    tried = [trial for trial in every if _options(trial, model) not in (None, before)]
    if not tried:
        raise PipelineError(
            f"none of the {len(every)} experiments has other options for {model}: they were of "
            f"other models; or -S named an option within a mapping that models share by an anchor "
            f"(models.{model}.tower.hidden), which DVC loses. Write that mapping on "
            f"models.{model} itself, commit, and queue again"
        )
    return Trials(_params(document[0]), standing, tried)


def ranked(trials: Trials) -> list[Trial]:
    """All trials by their validation score, the best first, those without one last.

    Of equal ones the standing is first, so that nothing is changed for nothing, then by name.

    Raises
    ------
    PipelineError
        No experiment has ended with a score.
    """
    if all(trial.score is None for trial in trials.tried):
        states = ", ".join(f"{trial.name} {trial.state}" for trial in trials.tried)
        raise PipelineError(
            f"no experiment has a validation score: {states}. `dvc queue logs NAME` tells why one "
            f"failed; `dvc exp run --run-all` runs those that are queued"
        )

    def place(trial: Trial) -> tuple[bool, float, bool, str]:
        unknown = trial.score is None
        better = -_sign(trial.metric) * (trial.score or 0.0)
        return unknown, better, trial is not trials.baseline, trial.name

    return sorted((trials.baseline, *trials.tried), key=place)


def _trial(name: str, state: str, rev: Mapping[str, Any], model: str, metric: str) -> Trial:
    data = rev.get("data") or {}
    outs = data.get("outs") or {}
    manifests = (f"{DATA}/{folder}/{model}/manifest.json" for folder in (MODELS, EVALUATION))
    digests = {path: outs[path]["hash"] for path in manifests if (outs.get(path) or {}).get("hash")}
    done = state == "success"
    score, measured = _score(data.get("metrics") or {}, model, metric) if done else (None, "")
    return Trial(name, state, _params(rev), score, measured, digests if done else {})


def _score(metrics: Mapping[str, Any], model: str, metric: str) -> tuple[float | None, str]:
    """The figure of the primary task on validation, and its name."""
    splits = (metrics.get(f"{DATA}/{EVALUATION}/{model}/metrics.json") or {}).get("data") or {}
    # The one task is the primary; its first figure is the one that the report ranks by.
    figures: dict[str, float] = next(iter(splits.get("validation", {}).values()), {})
    if not figures:
        return None, ""
    if metric and metric not in figures:
        raise PipelineError(unknown("metric", metric, figures))
    measured = metric or next(iter(figures))
    return float(figures[measured]), measured


def _sign(metric: str) -> int:
    """-1 if less of it is better, by what any kind of task says of it."""
    figures = (task_of(kind).FIGURES.get(metric) for kind in kinds())
    return min((figure.sign for figure in figures if figure), default=1)


def _state(experiment: Mapping[str, Any]) -> str:
    """How the queue speaks of it; one that was run at once or pulled has no executor."""
    return str((experiment.get("executor") or {}).get("state") or "success")


def _params(rev: Mapping[str, Any]) -> Mapping[str, Any]:
    files = (rev.get("data") or {}).get("params") or {}
    params: Mapping[str, Any] = (files.get("params.yaml") or {}).get("data") or {}
    return params


def _options(trial: Trial, model: str) -> Any:
    return (trial.params.get("models") or {}).get(model)
