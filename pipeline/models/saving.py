"""A trained model on disk: model.json beside its weights, and curves/.

Weights are model.safetensors, which torch computes with, or model.onnx, a graph that goes from
features to answers and that ONNX Runtime computes: loading such a model loads no torch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.core.errors import PipelineError
from pipeline.core.files.documents import document, reading
from pipeline.core.machine.shortage import is_shortage
from pipeline.models.decoding import Decoding
from pipeline.models.examples import FeatureSpec
from pipeline.models.options import ModelOptions
from pipeline.models.prediction import Answering
from pipeline.models.training.curves import write_curves

if TYPE_CHECKING:
    from pipeline.models.network import Network
    from pipeline.models.training.loop import Trained

WEIGHTS, GRAPH = "model.safetensors", "model.onnx"


@dataclass(frozen=True)
class TrainedModel:
    """A trained network, ready to predict on the CPU.

    `classes` and `priors` are by task, as training had them; `made_by` says by feature set what
    function made it (see `feature_compatibility`).
    """

    network: Answering
    sets: list[FeatureSpec]
    options: ModelOptions
    classes: dict[str, list[str]]
    priors: dict[str, np.ndarray]
    made_by: dict[str, Any]

    @property
    def torch_network(self) -> Network:
        """The network that torch computes, which alone can be looked into.

        Raises
        ------
        PipelineError
            The model is a graph of ONNX.
        """
        from pipeline.models.network import Network

        if not isinstance(self.network, Network):
            raise PipelineError(
                f"this model is a graph of ONNX ({GRAPH}), which answers and shows no more: take "
                "the model that it was made from"
            )
        return self.network


def save_model(
    folder: Path,
    trained: Trained,
    sets: Sequence[FeatureSpec],
    classes: Mapping[str, Sequence[str]],
    options: ModelOptions,
    about: Mapping[str, Any],
) -> None:
    """Write the three; `about` holds further entries of model.json, such as inputs' digests."""
    from safetensors.torch import save_file

    state = {
        name: t.detach().cpu().contiguous() for name, t in trained.network.state_dict().items()
    }
    save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
    card = {
        **_described(sets, options),
        "tasks": _tasks(trained.network, classes, trained.priors),
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
    from safetensors.torch import save_file

    save_file({}, folder / WEIGHTS, metadata={"format": "pt"})
    tasks = {
        task: {"classes": list(names), "kind": options.tasks[task].kind}
        for task, names in classes.items()
    }
    card = {"untrained": reason, **_described(sets, options), "tasks": tasks, **about}
    _write_card(folder, card)
    write_curves(folder / "curves", [{f"train/{task}/loss": math.nan for task in classes}])


def save_graph(
    folder: Path, graph: bytes, model: TrainedModel, about: Mapping[str, Any] | None = None
) -> None:
    """Write a model as model.onnx and model.json: what `load_model` reads back without torch.

    graph: what `compression.export` makes of its network; `about` holds further entries.
    """
    (folder / GRAPH).write_bytes(graph)
    card = {
        **_described(model.sets, model.options),
        "tasks": _tasks(model.network, model.classes, model.priors),
        "made_by": model.made_by,
        **(about or {}),
    }
    _write_card(folder, card)


def _tasks(
    network: Answering, classes: Mapping[str, Sequence[str]], priors: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    return {
        task: {
            "classes": list(names),
            **network.decodings[task].card(),
            "prior": [float(share) for share in priors[task]],
        }
        for task, names in classes.items()
    }


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


def load_model(folder: Path, refused: bool = False) -> TrainedModel:
    """Read a model back, whatever computes it; one that was refused only if that is asked for.

    Raises
    ------
    PipelineError
        The weights are not those of the model that is described, or something is damaged; or the
        model was refused when it was made, of which the message says why.
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
    if "refused" in card and not refused:
        name = card.get("name", folder.name)  # the folder may be a copy under another name
        raise PipelineError(f"model '{name}' is not offered: {card['refused']}")
    network: Answering
    if (folder / GRAPH).is_file():
        network = _load_graph(folder, sets, decodings)
    else:
        network = _load_network(folder, sets, classes, decodings, options)
    return TrainedModel(network, sets, options, classes, priors, made_by)


def _load_graph(
    folder: Path, sets: Sequence[FeatureSpec], decodings: Mapping[str, Decoding]
) -> Answering:
    from pipeline.models.onnx_network import OnnxNetwork

    try:
        return OnnxNetwork((folder / GRAPH).read_bytes(), sets, decodings)
    except ValueError:
        raise _not_described(folder, GRAPH) from None


def _load_network(
    folder: Path,
    sets: Sequence[FeatureSpec],
    classes: Mapping[str, Sequence[str]],
    decodings: dict[str, Decoding],
    options: ModelOptions,
) -> Network:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from pipeline.models.network import Network

    with reading(folder / "model.json"):
        try:
            network = Network(sets, {task: len(names) for task, names in classes.items()}, options)
        except RuntimeError as error:  # torch's word for sizes that no tensor has
            if is_shortage(error):
                raise
            raise ValueError(str(error)) from error
    try:
        network.load_state_dict(load_file(folder / WEIGHTS))
    except (RuntimeError, SafetensorError) as error:
        if is_shortage(error):
            raise
        raise _not_described(folder, WEIGHTS) from None
    network.decodings = decodings
    return network.eval()


def _not_described(folder: Path, weights: str) -> PipelineError:
    return PipelineError(
        f"{folder / weights} does not hold the weights that {folder / 'model.json'} describes: "
        "take both from one training, or remove the folder and run `dvc repro`"
    )
