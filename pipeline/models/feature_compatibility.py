"""A model is good for the features that it was trained on, and refuses others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.parts.fingerprint_diff import differences

Function = Mapping[str, Any]


def check_features(
    model: str,
    trained_on: Mapping[str, Function],
    functions: Mapping[str, Function],
    stage: str = "train",
) -> None:
    """Compare what made a model's features with what made those that it is given.

    Parameters
    ----------
    model:
        Its name, for the message.
    trained_on:
        Feature set → fingerprint of the function that made it, as model.json has it (`made_by`).
    functions:
        The same of the features at hand: `manifest.read_function`, or a store's `provenance`.
    stage:
        The one that makes it.

    Raises
    ------
    PipelineError
        A set is missing, or was made otherwise: the message says what differs.
    """
    wrong = []
    for name, before in trained_on.items():
        if name not in functions:
            wrong.append(f"{name}: it is not there")
        else:
            wrong += [
                f"{name}: {difference}" for difference in differences(before, functions[name])
            ]
    if wrong:
        listed = "\n  ".join(wrong)
        raise PipelineError(
            f"model '{model}' was trained on other features than these:\n  {listed}\n"
            f"Train it again (`dvc repro {stage}@{model}`), or use the revision it was trained at."
        )
