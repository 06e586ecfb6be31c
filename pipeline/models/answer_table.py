"""Answers of a model as columns of a table: decisions, probabilities, what each modality gave."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pipeline.models.evaluation.subsets import all_subsets
from pipeline.models.examples import Examples, FeatureSpec
from pipeline.models.explanation.shapley import shapley
from pipeline.models.tasks import Task, task_of

if TYPE_CHECKING:
    from pipeline.models.saving import TrainedModel
    from pipeline.models.task_options import TaskOptions

# Products of matrices add up in an order that the number of rows decides, up to so many: batches
# of a multiple of it answer a row alike, whatever stands beside it.
ROWS = 16
# A probability that was rounded to 0 counts as this.
SMALLEST = 1e-7
SHARES = pa.map_(pa.string(), pa.float32())
# Why a content of a sample, or with no modality the sample itself, was refused.
REFUSAL = pa.struct(
    [(name, pa.string()) for name in ("modality", "stage", "reason", "message")],
)


def unlabelled(
    sets: Sequence[FeatureSpec],
    features: Mapping[str, Sequence[tuple[np.ndarray, int] | None]],
) -> Examples:
    """n examples whose targets nobody knows, at view 0.

    features: by set, for each example its values, of the set's shape, and its length; None where it
    has none.
    """
    count = len(next(iter(features.values())))
    values = {s.name: np.zeros((1, count, *s.shape), np.float32) for s in sets}
    lengths = {s.name: np.zeros((1, count), np.int32) for s in sets}
    present = np.zeros((count, len(sets)), np.bool_)
    for column, spec in enumerate(sets):
        for row, feature in enumerate(features[spec.name]):
            if feature is not None:
                values[spec.name][0, row], lengths[spec.name][0, row] = feature
                present[row, column] = True
    names = np.empty(count, np.str_)
    return Examples(tuple(sets), values, lengths, present, {}, names, names)


def answer_schema(tasks: Mapping[str, TaskOptions], explain: bool = False) -> pa.Schema:
    """By task `answer.<task>`, `confidence.<task>`, `probabilities.<task>`; and `present`.

    The answer is a class, labels with `|` between them, a text, which has no probabilities, or a
    number, which has no confidence either. With `explain`, `contributions.<task>`: see
    `contributions`.
    """
    fields: list[tuple[str, pa.DataType]] = []
    for name, options in tasks.items():
        number = _task(options.kind).NUMBER
        fields.append((f"answer.{name}", pa.float64() if number else pa.string()))
        if not number:
            fields.append((f"confidence.{name}", pa.float32()))
        if not number and not _task(options.kind).SEQUENCE:
            fields.append((f"probabilities.{name}", SHARES))
        if explain:
            fields.append((f"contributions.{name}", SHARES))
    return pa.schema([*fields, ("present", pa.list_(pa.string()))])


def answer_table(
    model: TrainedModel,
    examples: Examples,
    tasks: Sequence[str],
    top: int | None = None,
    explain: bool = False,
) -> pa.Table:
    """A row of `answer_schema` for each of n examples; all null where an example shows nothing.

    The answer is the decision at the fitted thresholds, `confidence` its probability at the fitted
    temperature, of labels that of the least sure one.

    Parameters
    ----------
    top:
        Keep the probabilities of so many classes, the most probable first; None: all, in the order
        of the classes.
    """
    seen = np.flatnonzero(examples.seen)
    visible = examples.take(seen)
    answers = _predict(model, visible)
    columns: dict[str, list[object]] = {}
    for task in tasks:
        decoding, classes, answer = (
            model.network.decodings[task],
            model.classes[task],
            answers[task],
        )
        kind = _task(decoding.kind)
        decisions = kind.decide(answer, decoding.thresholds)
        if kind.NUMBER:
            columns[f"answer.{task}"] = [float(value) for value in decisions]
        else:
            columns[f"answer.{task}"] = [kind.say(each, classes) for each in decisions]
            columns[f"confidence.{task}"] = list(kind.certainty(answer, decisions))
            if not kind.SEQUENCE:
                columns[f"probabilities.{task}"] = [_shares(row, classes, top) for row in answer]
    if explain:
        for task, given in contributions(model, visible, tasks).items():
            columns[f"contributions.{task}"] = [
                None
                if given is None
                else [
                    (modality, given[m, row])
                    for m, modality in enumerate(visible.modalities)
                    if visible.has[row, m]
                ]
                for row in range(len(visible))
            ]
    columns["present"] = [
        [name for name, shown in zip(visible.modalities, row, strict=True) if shown]
        for row in visible.has
    ]
    schema = answer_schema({task: model.options.tasks[task] for task in tasks}, explain)
    table = pa.table([pa.array(columns[f.name], f.type) for f in schema], schema=schema)
    place = np.full(len(examples), -1)
    place[seen] = np.arange(len(seen))
    return table.take(pa.array(place, mask=place < 0))


def contributions(
    model: TrainedModel, examples: Examples, tasks: Sequence[str]
) -> dict[str, np.ndarray | None]:
    """By task the Shapley value of each modality for each answer, float (m, n).

    Of a task of one class it is what the modality adds to the logarithm of the answered class's
    probability, in nats; of a number, to the value. None of labels, which have no single answer.
    """
    by_subset = [_predict(model, examples, subset) for subset in all_subsets(examples.modalities)]
    values: dict[str, np.ndarray | None] = {}
    for task in tasks:
        decoding = model.network.decodings[task]
        worth = np.stack([answers[task] for answers in by_subset]).astype(np.float64)
        if decoding.task.ONE_CLASS:
            decided = decoding.predict(by_subset[-1][task])
            nats = np.log(worth[:, np.arange(len(examples)), decided].clip(min=SMALLEST))
            values[task] = shapley(nats)
        else:
            values[task] = shapley(worth[..., 0]) if decoding.task.NUMBER else None
    return values


@functools.cache
def _task(kind: str) -> Task:
    """Kept, since looking for a plug-in lists a folder, which takes longer than a row."""
    return task_of(kind)


def _predict(
    model: TrainedModel, examples: Examples, modalities: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """As `prediction.predict`, each row as if it stood in any other batch."""
    from pipeline.models.prediction import predict

    count = len(examples)
    padded = np.minimum(np.arange(-(-count // ROWS) * ROWS), count - 1)
    answers = predict(model.network, examples.take(padded), model.priors, modalities)
    return {task: answer[:count] for task, answer in answers.items()}


def _shares(row: np.ndarray, classes: Sequence[str], top: int | None) -> list[tuple[str, float]]:
    order = np.arange(len(row)) if top is None else np.argsort(-row, kind="stable")[:top]
    return [(classes[place], float(row[place])) for place in order]
