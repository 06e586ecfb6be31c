"""A trained model → a smaller one that answers the same questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from pipeline.core.randomness import generator
from pipeline.models.compression.export import onnx_graph
from pipeline.models.compression.options import CompressionOptions
from pipeline.models.compression.pruning import prune
from pipeline.models.compression.quantisation import (
    calibration_feeds,
    quantise_dynamic,
    quantise_static,
)
from pipeline.models.examples import Examples, FeatureSpec
from pipeline.models.network import Network
from pipeline.models.onnx_network import OnnxNetwork
from pipeline.models.options import ModelOptions
from pipeline.models.saving import TrainedModel
from pipeline.models.training.batches import Tensors
from pipeline.models.training.loop import Trained, train
from pipeline.models.training.teacher import Teacher

CPU = torch.device("cpu")


@dataclass(frozen=True)
class CompressedModel:
    """What became of a model: its graph, which `model.network` runs, and its trained numbers."""

    model: TrainedModel
    graph: bytes
    parameters: int


@dataclass(frozen=True)
class _Student:
    """A network on its way to be smaller, and what it is trained by."""

    network: Network
    options: ModelOptions
    priors: Mapping[str, np.ndarray]

    def after(self, trained: Trained) -> _Student:
        return replace(self, network=trained.network, priors=trained.priors)


def compress(
    model: TrainedModel,
    training: Examples,
    validation: Examples,
    options: CompressionOptions,
    seed: int,
) -> CompressedModel:
    """Do `options.ways` to a model, in their order; equal arguments give equal bytes.

    Parameters
    ----------
    model:
        It is computed by torch, and left as it is.
    training, validation:
        Examples of all sets that the model or its student reads, the student's first and in its
        order; training at all the views that are trained on.

    Raises
    ------
    PipelineError
        The model has no hidden layer to prune, or training diverged.
    """
    teacher = _teacher(model, training.sets, options)
    student = _Student(deepcopy(model.torch_network), _here(model.options), model.priors)
    for way in options.ways:
        if way == "distil":
            chosen = _here(options.student_of(model.options))
            trained = train(training, validation, model.classes, chosen, seed, CPU, teacher=teacher)
            student = replace(student, options=chosen).after(trained)
        elif way == "prune":
            prune(student.network, options.pruned, partial(_see, student.network, training))
            trained = train(
                training,
                validation,
                model.classes,
                _mending(student.options, options),
                seed,
                CPU,
                start=student.network,
                teacher=teacher,
            )
            student = student.after(trained)
    sets = [spec for spec in training.sets if spec.name in student.options.features]
    graph = onnx_graph(student.network, sets)
    decodings = student.network.decodings
    if "quantise" in options.ways:
        graph = _quantised(OnnxNetwork(graph, sets, decodings), graph, training, options, seed)
    made_by = {spec.name: model.made_by.get(spec.name, {}) for spec in sets}
    network = OnnxNetwork(graph, sets, decodings)
    compressed = TrainedModel(
        network, sets, student.options, model.classes, dict(student.priors), made_by
    )
    return CompressedModel(compressed, graph, student.network.size())


def _see(network: Network, examples: Examples) -> None:
    """Pass the examples through the network, as they are."""
    tensors = Tensors(examples.take(np.arange(len(examples)), views=1), CPU)
    network.predict_logits(tensors, examples.present)


def _teacher(
    model: TrainedModel, sets: Sequence[FeatureSpec], options: CompressionOptions
) -> Teacher:
    places = {spec.name: i for i, spec in enumerate(sets)}
    columns = torch.tensor([places[spec.name] for spec in model.sets])
    return Teacher(model.torch_network, columns, options.temperature, options.soft)


def _mending(model: ModelOptions, options: CompressionOptions) -> ModelOptions:
    """Few and small steps, which leave the answers near those that are to be kept."""
    rate = model.learning_rate * options.pace
    return model.model_copy(update={"epochs": options.epochs, "learning_rate": rate})


def _here(options: ModelOptions) -> ModelOptions:
    """Trained by this process, so that the bytes are those of one kind of machine."""
    return options.model_copy(update={"device": "cpu", "workers": 1})


def _quantised(
    network: OnnxNetwork,
    graph: bytes,
    training: Examples,
    options: CompressionOptions,
    seed: int,
) -> bytes:
    if options.integers == "dynamic":
        return quantise_dynamic(graph)
    seen = np.flatnonzero(training.seen)
    rows = generator(seed, "calibration").permutation(seen)[: options.calibration]
    sets = [spec for spec in training.sets if spec.name in network.names]
    sampled = training.take(np.sort(rows), views=1).of_sets(sets)
    return quantise_static(graph, calibration_feeds(network, sampled))
