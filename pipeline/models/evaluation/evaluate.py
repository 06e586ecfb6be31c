"""How well a model does: figures with intervals, and by class, group, subset and confidence."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.core.randomness import generator
from pipeline.models.decoding import Decoding
from pipeline.models.evaluation.answers import Answers, answers
from pipeline.models.evaluation.figures import all_metrics, baseline, metrics_without_intervals
from pipeline.models.evaluation.options import EvaluationOptions
from pipeline.models.evaluation.subsets import all_subsets
from pipeline.models.examples import Examples, Joined
from pipeline.models.metrics import calibration, per_class
from pipeline.models.prediction import predict
from pipeline.models.saving import Model
from pipeline.models.targets import is_known, known
from pipeline.models.tasks import headline

Table = list[dict[str, Any]]
# Figures of groups and subsets: of classes and labels the first two, of a number the others.
BRIEF = ("accuracy", "macro_f1", "mae", "r2")


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
    name: str, model: Model, splits: Collection[Split], options: EvaluationOptions, seed: int
) -> Evaluation:
    """Measure a model on some splits.

    Every example counts: one that the model can see nothing of is answered by the prior, so that
    models of different modalities are compared on the same examples; `unseen` says how many. A
    split of which it sees none has no figures, and one of fewer than MIN_COMPONENTS no intervals.
    """
    found = Evaluation({task: {} for task in model.classes})
    for split in splits:
        began = time.perf_counter()
        predicted = predict(model.network, split.examples, model.priors)
        found.seconds[split.name] = time.perf_counter() - began
        masked = {
            subset: predict(model.network, split.examples, model.priors, subset)
            for subset in all_subsets(split.examples.modalities)[1:]
        }
        for task, classes in model.classes.items():
            reading = model.network.readings[task]
            found.predictions += _predictions(name, split, task, classes, predicted[task], reading)
            given = answers(split.examples, task, predicted[task], reading)
            found.metrics[task][split.name] = {
                "n": len(given),
                "components": given.components,
                "unseen": int((~split.examples.seen).sum()),
            }
            # Where it sees nothing at all, every answer is the prior: that is no figure of its own.
            if not split.examples.seen[known(split.examples.targets[task])].any():
                continue
            rng = generator(seed, "bootstrap", task, split.name)
            measured = all_metrics(given, options, rng)
            found.metrics[task][split.name] |= {
                **measured,
                **baseline(given, model.priors[task], reading),
            }
            found.headlines.setdefault(split.name, {})[task] = {
                name: figure["value"] for name, figure in headline(given.task, measured).items()
            }
            if split.name == "test" and given.task.ONE_CLASS:
                found.confusion += _confusion(task, given, classes)
            shown = {subset: each[task] for subset, each in masked.items()}
            for table, rows in (
                (found.per_class, _classes(given, classes)),
                (found.groups, _groups(split, task, given)),
                (found.subsets, _natural(split.examples, task, given)),
                (found.subsets, _masked(split.examples, task, shown, reading)),
                (found.calibration, _calibration(given, options.bins)),
            ):
                table.extend({"task": task, "split": split.name, **row} for row in rows)
    return found


def unmeasured(joined: Joined, tasks: Iterable[str], splits: Iterable[str]) -> Evaluation:
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


def _confusion(task: str, given: Answers, classes: list[str]) -> Iterator[dict[str, Any]]:
    for truth, prediction in zip(given.truth, given.prediction, strict=True):
        yield {"task": task, "truth": classes[truth], "prediction": classes[prediction]}


def _classes(given: Answers, classes: list[str]) -> Iterator[dict[str, Any]]:
    if not classes:
        return
    columns = ("class", "precision", "recall", "f1", "support")
    for row in per_class(given.truth, given.prediction, classes):
        yield dict(zip(columns, row, strict=True))


def _brief(given: Answers) -> dict[str, Any]:
    found = metrics_without_intervals(given)
    return {"n": len(given), **{name: found[name] for name in BRIEF if name in found}}


def _groups(split: Split, task: str, given: Answers) -> Iterator[dict[str, Any]]:
    there = known(split.examples.targets[task])
    for attribute, values in split.groups.items():
        shown = values[there]
        for value in sorted({str(v) for v in shown if v is not None}):
            some = given.take(np.array([v is not None and str(v) == value for v in shown]))
            of = {"attribute": attribute, "value": value, "components": some.components}
            yield {**of, **_brief(some)}


def _natural(examples: Examples, task: str, given: Answers) -> Iterator[dict[str, Any]]:
    """Examples that have exactly a subset of the modalities, as they are."""
    has = examples.has[known(examples.targets[task])]
    for subset in all_subsets(examples.modalities):
        exactly = np.all(has == [m in subset for m in examples.modalities], axis=1)
        if exactly.any():
            yield {"kind": "natural", "subset": _name(subset), **_brief(given.take(exactly))}


def _masked(
    examples: Examples,
    task: str,
    predicted: Mapping[tuple[str, ...], np.ndarray],
    reading: Decoding,
) -> Iterator[dict[str, Any]]:
    """Examples that have all modalities, with only a subset shown."""
    full = np.all(examples.has, axis=1)[known(examples.targets[task])]
    if full.any():
        for subset, each in predicted.items():
            some = answers(examples, task, each, reading).take(full)
            yield {"kind": "masked", "subset": _name(subset), **_brief(some)}


def _calibration(given: Answers, bins: int) -> Iterator[dict[str, Any]]:
    if "ece" not in given.task.FIGURES:
        return
    sums = calibration(given.confidence.ravel(), given.correct.ravel(), bins)
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
    reading: Decoding,
) -> Iterator[dict[str, Any]]:
    examples = split.examples
    targets = examples.targets[task]
    for sample, has, each, decision, truth, there in zip(
        examples.sample_ids,
        examples.has,
        predicted,
        reading.predict(predicted),
        targets,
        known(targets),
        strict=True,
    ):
        yield {
            "sample_id": str(sample),
            "model": name,
            "split": split.name,
            "task": task,
            "present": [m for m, seen in zip(examples.modalities, has, strict=True) if seen],
            "probabilities": each if classes else [],
            "prediction": reading.format(decision, classes),
            "truth": reading.format(truth, classes) if there else None,
        }


def _name(subset: tuple[str, ...]) -> str:
    return "+".join(subset) or "none"
