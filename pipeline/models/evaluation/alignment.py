"""What a space of modalities is good for: finding one by another, and naming what was never named.

Figures stand beside those of tasks under names of their own: `alignment` has the mean recall,
`image → text` what questions of one modality find in another, and `image → category` how classes
are told by their names alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pipeline.core.randomness import generator
from pipeline.core.records import MIN_COMPONENTS
from pipeline.models.alignment.options import ALIGNMENT
from pipeline.models.alignment.retrieval import (
    CUTS,
    MEAN_RECALL,
    Answered,
    Retrieval,
    mean_recall,
)
from pipeline.models.evaluation.answers import known_answers
from pipeline.models.evaluation.bootstrap import Resamples, interval, replicates_of_rows
from pipeline.models.evaluation.evaluate import Evaluation, Split
from pipeline.models.evaluation.figures import all_metrics
from pipeline.models.evaluation.options import EvaluationOptions
from pipeline.models.examples import Examples
from pipeline.models.network import Network
from pipeline.models.saving import TrainedModel
from pipeline.models.targets import has_target
from pipeline.models.training.batches import Tensors

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Named:
    """A target whose classes are told by their names.

    Attributes
    ----------
    classes:
        In the order of `words`.
    words:
        Their names as examples, of which only sets of words are there.
    """

    classes: list[str]
    words: Examples


def add_retrieval(
    evaluation: Evaluation,
    name: str,
    model: TrainedModel,
    split: Split,
    options: EvaluationOptions,
    seed: int,
) -> None:
    """Add what each modality finds in each other, with intervals over components of the questions.

    The answers stay the same in all resamples, and for the questions of each value by which the
    test is cut (`image → text, source drawings`). A split without pairs adds nothing.
    """
    examples = split.examples
    if not examples.seen.any():
        return
    vectors, has = _vectors(model.torch_network, examples)
    component = np.unique(examples.component, return_inverse=True)[1]
    components = int(component.max()) + 1
    resamples = Resamples(
        generator(seed, "bootstrap", ALIGNMENT, split.name), components, options.resamples
    )
    figures, recalls = [], []
    for (asked, answering), answered in Retrieval(examples)(vectors, has):
        direction = f"{asked} → {answering}"
        drawn = replicates_of_rows(resamples, component[answered.asked], answered.figures)
        figures.append(answered.figures())
        recalls.append([drawn[f"recall_{cut}"] for cut in CUTS])
        measured = {direction: _measured(answered, drawn, component, options)}
        for group, questions in _groups(split, answered):
            drawn = replicates_of_rows(resamples, component[questions.asked], questions.figures)
            measured[f"{direction}, {group}"] = _measured(questions, drawn, component, options)
        for task, each in measured.items():
            evaluation.metrics.setdefault(task, {})[split.name] = each
        evaluation.predictions += _found(name, split, asked, answering, answered)
    if figures:
        value = mean_recall(figures)
        drawn_mean = np.mean(recalls, axis=(0, 1))
        evaluation.metrics.setdefault(ALIGNMENT, {})[split.name] = {
            "n": len(examples),
            "components": components,
            "unseen": int((~examples.seen).sum()),
            MEAN_RECALL: _with_interval(value, drawn_mean, components, options),
        }
        evaluation.headlines.setdefault(split.name, {})[ALIGNMENT] = {MEAN_RECALL: value}


def add_zero_shot(
    evaluation: Evaluation,
    model: TrainedModel,
    split: Split,
    named: Mapping[str, Named],
    options: EvaluationOptions,
    seed: int,
) -> None:
    """Add how often the class whose name is nearest is right, by what is seen or heard alone.

    The examples' targets are those of `named`. Probabilities are the softmax of the cosines at the
    learned temperature.
    """
    network, examples = model.torch_network, split.examples
    if not examples.seen.any():
        return
    vectors, has = _vectors(network, examples)
    for target, names in named.items():
        spoken = _vectors(network, names.words)
        (words,) = np.flatnonzero(spoken[1].all(0))
        for place, modality in enumerate(examples.modalities):
            rows = has[:, place] & has_target(examples.targets[target])
            if place == words or not rows.any():
                continue
            cosines = vectors[rows, place] @ spoken[0][:, words].T
            answers = known_answers(examples.take(rows), target, network.likeness(cosines))
            rng = generator(seed, "bootstrap", f"{modality} → {target}", split.name)
            counts = np.bincount(answers.truth)
            evaluation.metrics.setdefault(f"{modality} → {target}", {})[split.name] = {
                "n": len(answers),
                "components": answers.components,
                **all_metrics(answers, options, rng),
                "chance": {
                    "accuracy": 1 / len(names.classes),
                    "majority": float(counts.max() / counts.sum()),
                },
            }


def _vectors(network: Network, examples: Examples) -> tuple[np.ndarray, np.ndarray]:
    return network.vectors(Tensors(examples, CPU), examples.present)


def _with_interval(
    value: float, drawn: np.ndarray, components: int, options: EvaluationOptions
) -> dict[str, float]:
    if components < MIN_COMPONENTS:
        return {"value": value}
    low, high = interval(drawn, options.confidence)
    return {"value": value, "low": low, "high": high}


def _measured(
    questions: Answered,
    drawn: Mapping[str, np.ndarray],
    component: np.ndarray,
    options: EvaluationOptions,
) -> dict[str, Any]:
    """The figures of some questions, whose resamples are `drawn`."""
    components = len(np.unique(component[questions.asked]))
    return {
        "n": len(questions.asked),
        "components": components,
        **{
            figure: _with_interval(value, drawn[figure], components, options)
            for figure, value in questions.figures().items()
        },
        "chance": questions.chance,
    }


def _groups(split: Split, answered: Answered) -> Iterator[tuple[str, Answered]]:
    """The questions of each value by which the split is cut, but for one that they all have."""
    for attribute, values in split.groups.items():
        of = values[answered.asked]
        for value in sorted({str(value) for value in of if value is not None}):
            questions = answered.take(np.array([str(each) == value for each in of]))
            if len(questions.asked) < len(answered.asked):
                yield f"{attribute} {value}", questions


def _found(
    name: str, split: Split, asked: str, answering: str, answered: Answered
) -> Iterator[dict[str, Any]]:
    """A row a question: the component of the nearest answer, beside its own, which is right."""
    for row, nearest in zip(answered.asked, answered.nearest, strict=True):
        yield {
            "sample_id": str(split.examples.sample_ids[row]),
            "model": name,
            "split": split.name,
            "task": f"{asked} → {answering}",
            "present": [asked],
            "probabilities": [],
            "prediction": str(split.examples.component[nearest]),
            "truth": str(split.examples.component[row]),
        }
