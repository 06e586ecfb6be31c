"""How the score falls as inputs get worse: absence, noise and misalignment at rising rates.

MultiBench's robustness curves (Liang et al. 2021, arXiv:2107.07502) on the features of the test
split. Draws are nested: what a rate spoils, a higher rate spoils too, so that a curve shows the
rate and not the luck of each point. An answer depends on what its sample shows alone, so each
sample is asked once for every subset of modalities, and a rate picks among the answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pipeline.core.randomness import generator
from pipeline.models.evaluation.perturbations import add_noise, donors, feature_noise, misalign
from pipeline.models.evaluation.subsets import all_subsets
from pipeline.models.examples import Examples
from pipeline.models.metrics import from_tally, tally
from pipeline.models.prediction import predict
from pipeline.models.saving import TrainedModel

# Of absence and misalignment, shares of the samples; of noise, train deviations.
RATES = {
    "absence": tuple(i / 10 for i in range(11)),
    "noise": (0.0, 1.0, 2.0, 4.0),
    "misalignment": tuple(i / 10 for i in range(11)),
}
ALL = "all"


def robustness(
    model: TrainedModel,
    examples: Examples,
    deviations: Mapping[str, np.ndarray],
    draws: int,
    seed: int,
) -> list[dict[str, Any]]:
    """Rows of robustness.csv: macro-F1 and accuracy of the primary task by kind and rate.

    deviations: by set, float (bands,), those of the train split. Figures are means over `draws`;
    low and high are the macro-F1 of the worst and of the best draw. Of modality `all` each is
    absent by itself at the rate. Nothing without examples or draws, nor of a
    task that has not one class per sample.
    """
    task = model.options.primary
    if not model.options.tasks[task].task.ONE_CLASS:
        return []
    labelled = examples.take(examples.targets[task] >= 0)
    if not draws or not len(labelled):
        return []
    curves = Curves(model, labelled, deviations)
    several = len(labelled.modalities) > 1
    rows = []
    for kind, rates in RATES.items():
        for modality in (*labelled.modalities, *([ALL] if kind == "absence" and several else [])):
            rngs = [generator(seed, "robustness", kind, modality, d) for d in range(draws)]
            drawn = [[curves.score(p) for p in curves.draw(kind, modality, r)] for r in rngs]
            rows += [
                {
                    "task": task,
                    "kind": kind,
                    "modality": modality,
                    "rate": rate,
                    "macro_f1": float(np.mean([each["macro_f1"] for each in at])),
                    "accuracy": float(np.mean([each["accuracy"] for each in at])),
                    "low": min(each["macro_f1"] for each in at),
                    "high": max(each["macro_f1"] for each in at),
                }
                for rate, at in zip(rates, zip(*drawn, strict=True), strict=True)
            ]
    return rows


class Curves:
    """Answers, int64 (n,), of a model to its examples at each rate."""

    def __init__(
        self, model: TrainedModel, examples: Examples, deviations: Mapping[str, np.ndarray]
    ) -> None:
        self.model = model
        self.examples = examples
        self.deviations = deviations
        self.task = model.options.primary
        # By number of the subset, whose bit m says that modality m is shown.
        self.answers = np.stack([self._ask(examples, s) for s in all_subsets(examples.modalities)])

    def draw(self, kind: str, modality: str, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """The answers at each rate of the kind, in one draw."""
        if kind == "noise":
            noise = feature_noise(self.examples, modality, self.deviations, rng)
            yield self.answers[-1]
            for rate in RATES[kind][1:]:
                yield self._ask(add_noise(self.examples, noise, rate))
            return
        names = self.examples.modalities
        rows = np.arange(len(self.examples))
        uniform = rng.random((len(rows), len(names)))
        if kind == "misalignment":
            others = donors(self.examples, modality, rng)
            swapped = self._ask(misalign(self.examples, modality, others))
            for rate in RATES[kind]:
                yield np.where(uniform[:, 0] < rate, swapped, self.answers[-1])
            return
        at_risk = np.array([modality in (name, ALL) for name in names])
        for rate in RATES[kind]:
            kept = ~((uniform < rate) & at_risk)
            yield self.answers[kept @ (1 << np.arange(len(names))), rows]

    def score(self, prediction: np.ndarray) -> dict[str, float]:
        """Macro-F1 and accuracy, by the figures' own definition."""
        truth = self.examples.targets[self.task]
        figures = from_tally(tally(truth, prediction, len(self.model.classes[self.task])))
        return {name: float(figures[name]) for name in ("macro_f1", "accuracy")}

    def _ask(self, examples: Examples, modalities: tuple[str, ...] | None = None) -> np.ndarray:
        probabilities = predict(self.model.network, examples, self.model.priors, modalities)[
            self.task
        ]
        return self.model.network.decodings[self.task].predict(probabilities)
