"""A number from -2, strongly negative, to 2, with the figures that sentiment is reported by.

It is learned as a regression is. Figures are those of CMU-MOSI (Zadeh et al. 2016,
arXiv:1606.06259) as MMSA computes them (Mao et al. 2022, arXiv:2203.12441): a number is cut to the
scale of `acc3` (-1 to 1) or `acc5` (-2 to 2) and rounded, halves to the even neighbour. `acc2` has
negative against positive and leaves out truths that are 0; `acc2_nonnegative` takes 0 as positive.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipeline.models.metrics import class_scores
from pipeline.models.tasks import Figure, regression

ONE_CLASS, NUMBER, SOFTMAX = regression.ONE_CLASS, regression.NUMBER, regression.SOFTMAX
SEQUENCE, Options = regression.SEQUENCE, regression.Options
FIGURES: Mapping[str, Figure] = {
    # First, since it is the same of the standardised target, on which trainings are judged.
    "pearson": Figure("Pearson's r", share=False),
    "mae": regression.FIGURES["mae"],
    "acc2": Figure("acc-2"),
    "acc2_f1": Figure("F1 of acc-2"),
    "acc2_nonnegative": Figure("acc-2, 0 as positive"),
    "acc3": Figure("acc-3"),
    "acc5": Figure("acc-5"),
    "r2": regression.FIGURES["r2"],
    "spearman": regression.FIGURES["spearman"],
}
TRIVIAL, FITTED = regression.TRIVIAL, regression.FITTED
classes, encode, layer, loss = (
    regression.classes,
    regression.encode,
    regression.layer,
    regression.loss,
)
answer, decide, say = regression.answer, regression.decide, regression.say
confidence, certainty, correct = regression.confidence, regression.certainty, regression.correct


def figures(truth: np.ndarray, answer: np.ndarray, decision: np.ndarray) -> dict[str, float]:
    """MAE in the target's unit; those that are not defined, such as r of a constant, left out."""
    truth, decision = truth.astype(np.float64), decision.astype(np.float64)
    of_numbers = regression.figures(truth, answer, decision)
    scores: dict[str, float] = {
        name: of_numbers[name] for name in ("mae", "r2", "spearman") if name in of_numbers
    }
    if "spearman" in scores:
        scores["pearson"] = float(np.corrcoef(truth, decision)[0, 1])
    for name, most in (("acc3", 1), ("acc5", 2)):
        scores[name] = float((_rounded(truth, most) == _rounded(decision, most)).mean())
    scores["acc2_nonnegative"] = float(((truth >= 0) == (decision >= 0)).mean())
    if (felt := truth != 0).any():
        binary = class_scores((truth > 0)[felt], (decision > 0)[felt], 2)
        scores |= {"acc2": binary["accuracy"], "acc2_f1": binary["weighted_f1"]}
    return scores


def _rounded(values: np.ndarray, most: int) -> np.ndarray:
    return np.asarray(np.rint(values.clip(-most, most)))
