"""What a learned space gives to classifiers that have few labels: towers that know something.

Of each share two classifiers are trained on the same labelled examples with the same seed: one
whose towers begin as an alignment left them, and one whose towers begin at random.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from typing import Any

import numpy as np
import torch

from pipeline.core.randomness import generator
from pipeline.models.evaluation.bootstrap import interval
from pipeline.models.evaluation.options import EvaluationOptions
from pipeline.models.evaluation.scorer import BootstrapScore, Scorer
from pipeline.models.examples import Examples
from pipeline.models.network import Network
from pipeline.models.options import ModelOptions
from pipeline.models.prediction import predict
from pipeline.models.saving import TrainedModel
from pipeline.models.targets import Unlearnable, has_target
from pipeline.models.training.loop import train

# An epoch has so many steps at least, for few examples learn nothing in one.
STEPS = 8


def label_share_figures(
    model: TrainedModel,
    splits: Mapping[str, Examples],
    target: str,
    classes: list[str],
    options: EvaluationOptions,
    seed: int,
) -> dict[str, dict[str, Any]]:
    """By share, `category @ 5 %`: macro-F1 on the test split of `warm` and `cold`, and the `gain`.

    Means over `options.draws` draws of which components are labelled, those of a smaller share
    among those of a larger one; intervals over the test split's components. The validation split
    stops training, whatever the share. Nothing where no draw is asked for, or no test sample has
    the target.
    """
    labelled = {}
    for name, examples in splits.items():
        taken = examples.take(has_target(examples.targets[target]))
        labelled[name] = replace(taken, targets={target: taken.targets[target]})
    chosen = classifier_options(model.options, target)
    test = labelled["test"]
    if not len(test) or not options.draws:
        return {}
    scorer = Scorer(
        test.targets[target],
        test.component,
        len(classes),
        options.resamples,
        generator(seed, "bootstrap", target, "shares"),
    )
    figures = {}
    for share in options.label_shares:
        drawn = [_draw(labelled["train"], share, seed, draw) for draw in range(options.draws)]
        warm, cold = scorer.scores(
            [
                [
                    _answers(start, known, labelled, target, classes, chosen, seed + draw)
                    for draw, known in enumerate(drawn)
                ]
                for start in (model.torch_network, None)
            ]
        )
        gain = BootstrapScore(warm.value - cold.value, warm.drawn - cold.drawn)
        counts = [(len(known), len(np.unique(known.component))) for known in drawn]
        samples, components = np.mean(counts, 0).round().astype(int).tolist()
        figures[f"{target} @ {100 * share:g} %"] = {
            "n": samples,
            "components": components,
            **{
                name: _with_interval(score, scorer.has_intervals, options.confidence)
                for name, score in (("warm", warm), ("cold", cold), ("gain", gain))
            },
        }
    return figures


def classifier_options(options: ModelOptions, target: str) -> ModelOptions:
    """A classifier of that target with the aligned model's towers and fusion."""
    left_out = {"alignment", "tasks", "primary", "views", "towers_from"}
    kept = options.model_dump(mode="json", exclude=left_out)
    return ModelOptions.model_validate({**kept, "tasks": {target: {}}, "primary": target})


def _draw(train: Examples, share: float, seed: int, draw: int) -> Examples:
    """The examples of that share of the components, at least one, by a random order of them all."""
    names = np.unique(train.component)
    order = generator(seed, "label shares", str(draw)).permutation(len(names))
    return train.take(np.isin(train.component, names[order[: ceil(share * len(names))]]))


def _answers(
    start: Network | None,
    known: Examples,
    labelled: Mapping[str, Examples],
    target: str,
    classes: list[str],
    options: ModelOptions,
    seed: int,
) -> np.ndarray:
    """Class indices of the test split, int64 (n,); the commonest class if nothing is learnable."""
    size = min(options.batch_size, max(1, len(known) // STEPS))
    options = options.model_copy(update={"batch_size": size})
    test, validation, cpu = labelled["test"], labelled["validation"], torch.device("cpu")
    try:
        trained = train(known, validation, {target: classes}, options, seed, cpu, towers_from=start)
    except Unlearnable:
        counts = np.bincount(known.targets[target], minlength=len(classes))
        return np.full(len(test), counts.argmax())
    return np.asarray(predict(trained.network, test, trained.priors)[target].argmax(1))


def _with_interval(score: BootstrapScore, has: bool, confidence: float) -> dict[str, float]:
    if not has:
        return {"value": score.value}
    low, high = interval(score.drawn, confidence)
    return {"value": score.value, "low": low, "high": high}
