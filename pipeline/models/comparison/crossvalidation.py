"""One model, trained on one fold, and what it answers where it did not learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from pipeline.models.comparison.folds import Fold

if TYPE_CHECKING:
    from pipeline.models.examples import Examples
    from pipeline.models.options import ModelOptions
    from pipeline.models.training.loop import Trained


@dataclass(frozen=True)
class FoldPredictions:
    """What one trained model answers to the n rows of its outer fold.

    Attributes
    ----------
    sample_ids:
        str (n,).
    shown:
        Subset of the modalities, joined by `+` → class probabilities, float32 (n, classes), of the
        task by which models are compared, at the temperature that suits the inner rows; the whole
        set is the last.
    said:
        Subset → the classes answered, int64 (n,), by the thresholds and medians of the task's kind.
    held_ids, held:
        Ids and answered classes of the m rows held out within the training folds, by which models
        are chosen, with everything shown: str (m,), int64 (m,), by the training without them.
    classes:
        Their names, in the order of the probabilities.
    parameters:
        How many numbers the model trains.
    diverged:
        Whether a training was stopped for losses that are no numbers.
    """

    sample_ids: np.ndarray
    probabilities: Mapping[str, np.ndarray]
    predictions: Mapping[str, np.ndarray]
    inner_sample_ids: np.ndarray
    inner_predictions: np.ndarray
    classes: Sequence[str]
    parameters: int
    diverged: bool


def run_fold(
    data: Examples, classes: Mapping[str, Sequence[str]], options: ModelOptions, fold: Fold
) -> FoldPredictions:
    """Train on a fold's training rows, ask and scale by its inner ones, then once more on both.

    The second training answers the outer rows: it learns from as many components as a baseline
    does that holds none out, which is worth two points of macro-F1 where components are few. Both
    pass over all of the schedule's epochs, since one that is stopped before its steps have become
    small is worse than the figures it was stopped by say. `data` holds all samples, at all views
    that the model trains on.
    """
    from pipeline.core.machine.device import torch_device
    from pipeline.core.randomness import entropy
    from pipeline.models.prediction import predict
    from pipeline.models.training.determinism import deterministic
    from pipeline.models.training.loop import train

    task = options.primary
    inner, outer = (data.take(rows, views=1) for rows in (fold.inner, fold.outer))
    seed = entropy(fold.seed, "fold", fold.number) % 2**63
    device = torch_device(options.device)

    def fitted(rows: np.ndarray) -> Trained:
        return train(data.take(rows), inner, classes, options, seed, device, epochs=options.epochs)

    first = fitted(fold.training)
    trained = fitted(np.sort(np.concatenate([fold.training, fold.inner])))
    with deterministic(seed, "crossvalidate"):
        inner_probabilities = predict(first.network.to("cpu"), inner, first.priors)[task]
        network = trained.network.to("cpu")
        network.decodings = first.network.decodings  # fitted to what was not learnt from
        decoding = network.decodings[task]
        probabilities = {
            "+".join(subset): predict(network, outer, trained.priors, subset)[task]
            for subset in subsets(data.modalities)
        }
    return FoldPredictions(
        sample_ids=outer.sample_ids,
        probabilities=probabilities,
        predictions={
            subset: decoding.predict(answer_probabilities)
            for subset, answer_probabilities in probabilities.items()
        },
        inner_sample_ids=inner.sample_ids,
        inner_predictions=decoding.predict(inner_probabilities),
        classes=classes[task],
        parameters=network.size(),
        diverged=any(trained_model.diverged is not None for trained_model in (first, trained)),
    )


def subsets(modalities: Sequence[str]) -> list[tuple[str, ...]]:
    """Every subset that is not empty, the whole last."""
    return [s for k in range(1, len(modalities) + 1) for s in combinations(modalities, k)]
