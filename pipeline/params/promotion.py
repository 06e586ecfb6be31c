"""The winner of a model's experiments → the text of params.yaml, and what need not be trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.files.documents import document
from pipeline.params.trials import Trial, Trials
from pipeline.params.yaml_edit import MISSING, Keys, differences, edit_yaml, to_inline_yaml
from pipeline.parts.dvc_restore import Cache

# Of these sections a model's score is no function.
BESIDE = (
    *("models", "compress", "comparison", "verification"),
    *("execution", "report", "monitoring", "contract"),
)


def options(trial: Trial, standing: Trial, model: str) -> dict[Keys, Any]:
    """Path within the model → value, for what the trial has otherwise than the standing."""
    before, after = (side.params["models"][model] for side in (standing, trial))
    return differences(before, after)


def promoted(text: str, trials: Trials, winner: Trial, model: str) -> str:
    """params.yaml's text with the winner's values for this model.

    Raises
    ------
    PipelineError
        A value was changed in params.yaml since the experiments were queued, or the winner lacks
        an option that the model has.
    """
    values: dict[Keys, Any] = {}
    for path, value in options(winner, trials.baseline, model).items():
        whole = ("models", model, *path)
        named = ".".join(map(str, whole))
        if value is MISSING:
            raise PipelineError(
                f"{winner.name} has no {named}: take it out of params.yaml yourself"
            )
        now, before = _get(trials.workspace, whole), _get(trials.baseline.params, whole)
        if now == value:
            continue
        if now != before:
            raise PipelineError(
                f"{named} was {_text(before)} when {winner.name} began, is {_text(now)} in "
                f"params.yaml now, and would be {to_inline_yaml(value)}: put it back or commit it "
                f"and queue again"
            )
        values[whole] = value
    return edit_yaml(text, values)


def other_changes(trials: Trials, winner: Trial) -> list[str]:
    """Sections other than models that the winner was not trained with as they are now."""
    changes = differences(
        {name: section for name, section in trials.workspace.items() if name not in BESIDE},
        {name: section for name, section in winner.params.items() if name not in BESIDE},
    )
    return sorted({str(path[0]) for path in changes})


@dataclass(frozen=True)
class _Named:
    """As much of an artifact's manifest as names it."""

    key: str


def remember(winner: Trial) -> int:
    """Let `dvc repro` find in DVC's cache what the winner's stages made; how many it will find."""
    cache = Cache()
    md5s = {}
    with TemporaryDirectory() as folder:
        for md5 in winner.made.values():
            manifest = Path(folder, md5)
            if cache.restore(md5, manifest):
                md5s[document(manifest, _Named).key] = md5
    if md5s:
        cache.remember(md5s)
    return len(md5s)


def _get(document: Mapping[str, Any], path: Keys) -> Any:
    try:
        return reduce(lambda node, name: node[name], path, document)
    except (KeyError, TypeError):
        return MISSING


def _text(value: Any) -> str:
    return "not there" if value is MISSING else to_inline_yaml(value)
