"""A trained model on disk: model.safetensors, model.json and curves/."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from pipeline.core.errors import PipelineError
from pipeline.core.files.documents import document, reading
from pipeline.core.machine.shortage import is_shortage
from pipeline.models.decoding import Decoding
from pipeline.models.examples import FeatureSpec
from pipeline.models.network import Network
from pipeline.models.options import ModelOptions
from pipeline.models.training.curves import write_curves
from pipeline.models.training.loop import Trained

_REMEDY = "take both from one training, or remove the folder and run `dvc repro`"


@dataclass(frozen=True)
class TrainedModel:
    """A trained network, ready to predict on the CPU.

    `classes` and `priors` are by task, as training had them; `made_by` says by feature set what
    function made it (see `feature_compatibility`).
    """

    network: Network
    sets: list[FeatureSpec]
    options: ModelOptions
    classes: dict[str, list[str]]
    priors: dict[str, np.ndarray]
    made_by: dict[str, Any]


def save_model(
    folder: Path,
    trained: Trained,
    sets: Sequence[FeatureSpec],
    classes: Mapping[str, Sequence[str]],
    options: ModelOptions,
    about: Mapping[str, Any],
) -> None:
    """Write the three; `about` holds further entries of model.json, such as inputs' digests."""
    state = {
        name: t.detach().cpu().contiguous() for name, t in trained.network.state_dict().items()
    }
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    card = {
        **_described(sets, options),
        "tasks": {
            task: {
                "classes": list(names),
                **trained.network.decodings[task].card(),
                "prior": [float(share) for share in trained.priors[task]],
            }
            for task, names in classes.items()
        },
        "best_epoch": trained.best_epoch,
        "epochs": len(trained.curves),
        "best": trained.curves[trained.best_epoch],
        "parameters": trained.network.size(),
        **about,
    }
    _write_card(folder, card)
    write_curves(folder / "curves", trained.curves)


def save_untrained(
    folder: Path,
    reason: str,
    sets: Sequence[FeatureSpec],
    classes: Mapping[str, Sequence[str]],
    options: ModelOptions,
    about: Mapping[str, Any],
) -> None:
    """Write the same files for a model that has nothing to learn from, and so has no weights."""
    save_file({}, folder / "model.safetensors", metadata={"format": "pt"})
    tasks = {
        task: {"classes": list(names), "kind": options.tasks[task].kind}
        for task, names in classes.items()
    }
    card = {"untrained": reason, **_described(sets, options), "tasks": tasks, **about}
    _write_card(folder, card)
    write_curves(folder / "curves", [{f"train/{task}/loss": math.nan for task in classes}])


def _described(sets: Sequence[FeatureSpec], options: ModelOptions) -> dict[str, Any]:
    return {
        "options": options.model_dump(mode="json"),
        "features": {
            spec.name: {"modality": spec.modality, "shape": list(spec.shape)} for spec in sets
        },
        "primary_task": options.primary,
    }


def _write_card(folder: Path, card: Mapping[str, Any]) -> None:
    text = json.dumps(card, indent=1, ensure_ascii=False) + "\n"
    (folder / "model.json").write_text(text, encoding="utf-8")


def load_model(folder: Path) -> TrainedModel:
    """Read a model back.

    Raises
    ------
    PipelineError
        The weights are not those of the model that is described, or something is damaged.
    """
    path = folder / "model.json"
    with reading(path):
        card = document(path, dict[str, Any])
        options = ModelOptions.model_validate(card["options"])
        sets = [
            FeatureSpec(name, entry["modality"], tuple(entry["shape"]))
            for name, entry in card["features"].items()
        ]
        tasks, made_by = card["tasks"], card["made_by"]
        classes = {task: list(about["classes"]) for task, about in tasks.items()}
        decodings = {task: Decoding.from_card(about) for task, about in tasks.items()}
        priors = {task: np.array(about["prior"], np.float32) for task, about in tasks.items()}
        try:
            network = Network(sets, {task: len(names) for task, names in classes.items()}, options)
        except RuntimeError as error:  # torch's word for sizes that no tensor has
            if is_shortage(error):
                raise
            raise ValueError(str(error)) from error
    weights = folder / "model.safetensors"
    try:
        network.load_state_dict(load_file(weights))
    except (RuntimeError, SafetensorError) as error:
        if is_shortage(error):
            raise
        raise PipelineError(
            f"{weights} does not hold the weights that {path} describes: take "
            "both from one training, or remove the folder and run `dvc repro`"
        ) from None
    network.decodings = decodings
    return TrainedModel(network.eval(), sets, options, classes, priors, made_by)
