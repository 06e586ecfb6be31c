"""One model, trained on one fold, and what it answers where it did not learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from pipeline.protocol.folds import Fold

if TYPE_CHECKING:
    import numpy as np

    from pipeline.models.examples import Examples
    from pipeline.models.options import ModelOptions


@dataclass(frozen=True)
class Answer:
    """What one trained model answers to the n rows of its outer fold.

    Attributes
    ----------
    sample_ids:
        str (n,).
    shown:
        Subset of the modalities, joined by `+` → class probabilities, float32 (n, classes), of the
        task by which models are compared, scaled by `temperature`; the whole set is the last.
    inner:
        Macro-F1 on the rows held out within the training folds, by which models are chosen.
    epochs, parameters:
        Passes that training took, and the numbers that it trained.
    """

    sample_ids: np.ndarray
    shown: Mapping[str, np.ndarray]
    inner: float
    temperature: float
    epochs: int
    parameters: int


def answer(
    whole: Examples, classes: Mapping[str, Sequence[str]], options: ModelOptions, fold: Fold
) -> Answer:
    """Train on a fold's training rows, stop and scale by its inner rows and answer its outer ones.

    `whole` holds all samples, at all views that the model trains on.
    """
    from pipeline.device import torch_device
    from pipeline.models.determinism import deterministic
    from pipeline.models.metrics import scores
    from pipeline.models.prediction import predict
    from pipeline.models.training import train
    from pipeline.randomness import entropy

    task = options.primary
    inner, outer = (whole.take(rows, views=1) for rows in (fold.inner, fold.outer))
    seed = entropy(fold.seed, "fold", fold.number) % 2**63
    device = torch_device(options.device)
    trained = train(whole.take(fold.training), inner, classes, options, seed, device)
    with deterministic(seed, "crossvalidate"):
        network = trained.network.to("cpu")
        held = predict(network, inner, trained.priors)[task]
        shown = {
            "+".join(subset): predict(network, outer, trained.priors, subset)[task]
            for subset in subsets(whole.modalities)
        }
    return Answer(
        sample_ids=outer.sample_ids,
        shown=shown,
        inner=scores(inner.targets[task], held.argmax(1))["macro_f1"],
        temperature=network.readings[task].temperature,
        epochs=len(trained.curves),
        parameters=network.size(),
    )


def subsets(modalities: Sequence[str]) -> list[tuple[str, ...]]:
    """Every subset that is not empty, the whole last."""
    return [s for k in range(1, len(modalities) + 1) for s in combinations(modalities, k)]
