"""How well a model does: figures with intervals, and by class, group, subset and confidence."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.core.randomness import generator
from pipeline.models.decoding import Decoding
from pipeline.models.evaluation import nearest
from pipeline.models.evaluation.answers import Answers, known_answers
from pipeline.models.evaluation.figures import (
    all_metrics,
    baseline,
    metrics_without_intervals,
)
from pipeline.models.evaluation.options import EvaluationOptions
from pipeline.models.evaluation.subsets import all_subsets
from pipeline.models.examples import Examples, JoinedSamples
from pipeline.models.metrics import calibration, per_class
from pipeline.models.prediction import predict
from pipeline.models.saving import TrainedModel
from pipeline.models.targets import has_target, is_known
from pipeline.models.tasks import headline

Table = list[dict[str, Any]]
# Figures of groups and subsets: of classes and labels the first two, of a number the others.
BRIEF = ("accuracy", "macro_f1", "mae", "r2")
# Of texts; tables have no columns of them where there are none.
BRIEF_OF_TEXTS = ("chrf", "exact_match")


@dataclass(frozen=True)
class Split:
    """The examples of one split; `groups` maps an attribute to a value (str or None) each."""

    name: str
    examples: Examples
    groups: Mapping[str, np.ndarray]


@dataclass
class Evaluation:
    """Everything that was measured.

    `metrics` maps task → split → figure, `headlines` split → task → what DVC compares of them.
    `predictions` has the columns of
    records.predictions_schema, the other tables those of results.COLUMNS. `seconds` maps a split to
    how long its prediction took, which depends on the machine and is written to none of them.
    """

    metrics: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    headlines: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    predictions: Table = field(default_factory=list)
    confusion: Table = field(default_factory=list)
    per_class: Table = field(default_factory=list)
    groups: Table = field(default_factory=list)
    subsets: Table = field(default_factory=list)
    calibration: Table = field(default_factory=list)
    robustness: Table = field(default_factory=list)
    contributions: Table = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


def evaluate(
    name: str,
    model: TrainedModel,
    splits: Collection[Split],
    options: EvaluationOptions,
    seed: int,
    train: Examples | None = None,
) -> Evaluation:
    """Measure a model on some splits.

    Every example counts: one that the model can see nothing of is answered by the prior, so that
    models of different modalities are compared on the same examples; `unseen` says how many. A
    split of which it sees none has no figures, and one of fewer than MIN_COMPONENTS no intervals.
    With `train`, what is generated is also held against answers that are taken from there.
    """
    evaluation = Evaluation({task: {} for task in model.classes})
    for split in splits:
        began = time.perf_counter()
        predicted = predict(model.network, split.examples, model.priors)
        evaluation.seconds[split.name] = time.perf_counter() - began
        masked = {
            subset: predict(model.network, split.examples, model.priors, subset)
            for subset in all_subsets(split.examples.modalities)[1:]
        }
        for task in model.classes:
            by_subset = {subset: by_task[task] for subset, by_task in masked.items()}
            _add_task(
                evaluation,
                split,
                task,
                name=name,
                model=model,
                predicted=predicted[task],
                masked=by_subset,
                options=options,
                seed=seed,
            )
            if train is not None and model.options.tasks[task].task.SEQUENCE:
                rng = generator(seed, "bootstrap", task, split.name)
                evaluation.metrics[task][split.name] |= nearest.repeating_baselines(
                    model, train, split.examples, task, predicted[task], options, rng
                )
    return evaluation


def _add_task(
    evaluation: Evaluation,
    split: Split,
    task: str,
    *,
    name: str,
    model: TrainedModel,
    predicted: np.ndarray,
    masked: Mapping[tuple[str, ...], np.ndarray],
    options: EvaluationOptions,
    seed: int,
) -> None:
    """Add what is measured of one task on one split; `masked` is `predicted` seeing a subset."""
    classes, decoding = model.classes[task], model.network.decodings[task]
    evaluation.predictions += _predictions(name, split, task, classes, predicted, decoding)
    answers = known_answers(split.examples, task, predicted, decoding)
    figures: dict[str, Any] = {
        "n": len(answers),
        "components": answers.components,
        "unseen": int((~split.examples.seen).sum()),
    }
    evaluation.metrics[task][split.name] = figures
    # Where it sees nothing at all, every answer is the prior: that is no figure of its own.
    if not split.examples.seen[has_target(split.examples.targets[task])].any():
        return
    measured = all_metrics(answers, options, generator(seed, "bootstrap", task, split.name))
    figures |= {**measured, **baseline(answers, model.priors[task], decoding)}
    evaluation.headlines.setdefault(split.name, {})[task] = {
        name: figure["value"] for name, figure in headline(answers.task, measured).items()
    }
    if split.name == "test" and answers.task.ONE_CLASS:
        evaluation.confusion += _confusion(task, answers, classes)
    for table, rows in (
        (evaluation.per_class, _classes(answers, classes)),
        (evaluation.groups, _groups(split, task, answers)),
        (evaluation.subsets, _natural(split.examples, task, answers)),
        (evaluation.subsets, _masked(split.examples, task, masked, decoding)),
        (evaluation.calibration, _calibration(answers, options.bins)),
    ):
        table.extend({"task": task, "split": split.name, **row} for row in rows)


def unmeasured(joined: JoinedSamples, tasks: Iterable[str], splits: Iterable[str]) -> Evaluation:
    """That of a model which answers nothing: how many samples of each split it could have."""
    counts: dict[str, dict[str, dict[str, Any]]] = {}
    for task in tasks:
        labelled = np.array([is_known(value) for value in joined.targets[task]], bool)
        counts[task] = {
            split: {
                "n": int((labelled & (joined.split == split)).sum()),
                "components": len(np.unique(joined.component[labelled & (joined.split == split)])),
                "unseen": int((joined.split == split).sum()),
            }
            for split in splits
        }
    return Evaluation(counts)


def _confusion(task: str, answers: Answers, classes: list[str]) -> Iterator[dict[str, Any]]:
    for truth, prediction in zip(answers.truth, answers.prediction, strict=True):
        yield {"task": task, "truth": classes[truth], "prediction": classes[prediction]}


def _classes(answers: Answers, classes: list[str]) -> Iterator[dict[str, Any]]:
    if not classes or answers.task.SEQUENCE:
        return
    columns = ("class", "precision", "recall", "f1", "support")
    for row in per_class(answers.truth, answers.prediction, classes):
        yield dict(zip(columns, row, strict=True))


def _brief_figures(answers: Answers) -> dict[str, Any]:
    figures = metrics_without_intervals(answers)
    return {
        "n": len(answers),
        **{name: figures[name] for name in (*BRIEF, *BRIEF_OF_TEXTS) if name in figures},
    }


def _groups(split: Split, task: str, answers: Answers) -> Iterator[dict[str, Any]]:
    labelled = has_target(split.examples.targets[task])
    for attribute, values in split.groups.items():
        labelled_values = values[labelled]
        for value in sorted({str(v) for v in labelled_values if v is not None}):
            group = answers.take(
                np.array([v is not None and str(v) == value for v in labelled_values])
            )
            of = {"attribute": attribute, "value": value, "components": group.components}
            yield {**of, **_brief_figures(group)}


def _natural(examples: Examples, task: str, answers: Answers) -> Iterator[dict[str, Any]]:
    """Examples that have exactly a subset of the modalities, as they are."""
    has = examples.has[has_target(examples.targets[task])]
    for subset in all_subsets(examples.modalities):
        exactly = np.all(has == [m in subset for m in examples.modalities], axis=1)
        if exactly.any():
            yield {
                "kind": "natural",
                "subset": _name(subset),
                **_brief_figures(answers.take(exactly)),
            }


def _masked(
    examples: Examples,
    task: str,
    predicted: Mapping[tuple[str, ...], np.ndarray],
    decoding: Decoding,
) -> Iterator[dict[str, Any]]:
    """Examples that have all modalities, with only a subset shown."""
    full = np.all(examples.has, axis=1)[has_target(examples.targets[task])]
    if full.any():
        for subset, probabilities in predicted.items():
            masked = known_answers(examples, task, probabilities, decoding).take(full)
            yield {"kind": "masked", "subset": _name(subset), **_brief_figures(masked)}


def _calibration(answers: Answers, bins: int) -> Iterator[dict[str, Any]]:
    if "ece" not in answers.task.FIGURES:
        return
    sums = calibration(answers.confidence.ravel(), answers.correct.ravel(), bins)
    for m, (count, confidence, correct) in enumerate(sums):
        yield {
            "bin": m,
            "low": m / bins,
            "high": (m + 1) / bins,
            "confidence": float(confidence / count) if count else "",
            "accuracy": float(correct / count) if count else "",
            "n": int(count),
        }


def _predictions(
    name: str,
    split: Split,
    task: str,
    classes: list[str],
    predicted: np.ndarray,
    decoding: Decoding,
) -> Iterator[dict[str, Any]]:
    examples = split.examples
    targets = examples.targets[task]
    decisions = decoding.predict(predicted)
    of_answers = decoding.task.confidence(predicted, decisions)[:, None]
    for sample, has, probabilities, decision, truth, is_labelled in zip(
        examples.sample_ids,
        examples.has,
        of_answers if decoding.task.SEQUENCE else predicted,
        decisions,
        targets,
        has_target(targets),
        strict=True,
    ):
        yield {
            "sample_id": str(sample),
            "model": name,
            "split": split.name,
            "task": task,
            "present": [m for m, seen in zip(examples.modalities, has, strict=True) if seen],
            "probabilities": probabilities if classes else [],
            "prediction": decoding.format(decision, classes),
            "truth": decoding.format(truth, classes) if is_labelled else None,
        }


def _name(subset: tuple[str, ...]) -> str:
    return "+".join(subset) or "none"
