"""Tonight's samples without labels: the model in use answers them, and how well is estimated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.core.errors import PipelineError
from pipeline.core.files.documents import reading
from pipeline.core.folders import CURATED, DATA, EVALUATION, SAMPLES
from pipeline.inference.prediction_files import prediction_file
from pipeline.inference.predictor import Predictor
from pipeline.models.tasks import task_of
from pipeline.monitoring.expected_quality import (
    Confident,
    expected_by_confidence,
    expected_by_presence,
    subset_scores,
)
from pipeline.nightly.journal import Answers, Night
from pipeline.nightly.raw_samples import raw_samples, unlabelled_ids
from pipeline.params import Params
from pipeline.params.aliases import Alias
from pipeline.parts import manifest
from pipeline.store.format.reader import table_of
from pipeline.store.trees.revision import Revision

# Beside the data that they are of: DVC keeps each night's file, and git the file that names it.
ANSWERS = Path(DATA, "answers")
# What the estimate is of, where the model in use chooses one of several classes or labels.
FIGURE = "macro_f1"


def answer(params: Params, night: Night, champion: Alias | None) -> Answers | None:
    """Answer what curation left out of tonight's batches for want of a target; None if nothing.

    The answers are a table of `Predictor.schema`, a row a sample, in the folder ANSWERS. A model
    that cannot be asked, such as one that other code made the features of, fails no night: the
    answers then have no file, and say why.
    """
    batches = {(delivery.source, delivery.batch) for delivery in night.batches()}
    ids = unlabelled_ids(batches)
    if not ids:
        return None
    count = f"{len(ids):,} sample(s) without labels"
    if champion is None:
        return Answers(len(ids), 0, why=f"{count}: no model is in use that could answer them.")
    path = answers_file(night.run)
    told = []
    try:
        predictor = Predictor.load(Path(), champion.model, champion.revision)
        path.parent.mkdir(parents=True, exist_ok=True)
        with prediction_file(path, predictor.schema()) as write:
            for predicted in predictor.stream(raw_samples(params, ids)):
                write(predicted.answers)
                told.append(predicted.answers)
    except PipelineError as error:
        return Answers(len(ids), 0, why=f"{count} have no answer: {error}")
    answers = pa.concat_tables(told)
    answered = len(answers) - answers["present"].null_count
    why = (
        f"{answered:,} of {count} are answered by {champion.model} at {champion.revision[:12]}, "
        f"in {path}"
    )
    try:
        expected, usual, reason = _expected(predictor, champion, answers, params)
    except PipelineError as error:
        return Answers(len(ids), answered, str(path), why=f"{why}; nothing is expected: {error}")
    return Answers(len(ids), answered, str(path), expected, usual, f"{why}; {reason}")


def answers_file(run: str) -> Path:
    """Where the answers of a run lie; beside it is what DVC knows of them."""
    return ANSWERS / f"{run}.parquet"


def _expected(
    predictor: Predictor, champion: Alias, answers: pa.Table, params: Params
) -> tuple[float | None, float | None, str]:
    """FIGURE expected of the answers by presence, and usual on the test split, with a sentence.

    Where the task is one class, the sentence also says what the answers' own probabilities expect.
    """
    task = predictor.model.options.primary
    tasks = predictor.model.options.tasks
    if task not in tasks:
        return None, None, f"{task} is no target, of which nothing is expected"
    kind = task_of(tasks[task].kind)
    if kind.NUMBER or kind.SEQUENCE:
        what = "number" if kind.NUMBER else "text"
        return None, None, f"{task} is a {what}, of which nothing is expected"
    there = Revision.at(Path(), champion.revision)
    folder = f"{EVALUATION}/{champion.model}"
    scores = subset_scores(there.file(f"{folder}/subsets.csv"), task, "test", FIGURE)
    path = there.file(f"{folder}/predictions.parquet")
    with reading(path):
        table = pq.read_table(path)
    reference = table.filter((pc.field("split") == "test") & (pc.field("task") == task))
    usual, tonight = (
        [frozenset(present or ()) for present in each["present"].to_pylist()]
        for each in (reference, answers)
    )
    by_presence = expected_by_presence(scores, usual, tonight)
    why = by_presence.why
    if kind.ONE_CLASS:
        components = _by_sample(table_of(there, CURATED, ["sample_id", "component"]))
        why += _by_confidence(predictor, answers, reference, components, params)
    return by_presence.expected, by_presence.usual, why


def _by_confidence(
    predictor: Predictor,
    answers: pa.Table,
    reference: pa.Table,
    components: Mapping[str, str],
    params: Params,
) -> str:
    """What the answers' own probabilities expect, as a clause; empty where there is no reference.

    Classes that the model does not know are left out of the reference.
    """
    task = predictor.model.options.primary
    classes = predictor.model.classes[task]
    reference = reference.filter(pc.is_in(reference["truth"], value_set=pa.array(classes)))
    answers = answers.filter(pc.is_valid(answers["present"]))
    if not len(reference) or not len(answers):
        return ""
    groups = _by_sample(manifest.read(Path(DATA, SAMPLES), ["sample_id", "group"]))
    tonight = _confident(
        [[share for _, share in row] for row in answers[f"probabilities.{task}"].to_pylist()],
        answers[f"answer.{task}"],
        [groups[sample] for sample in answers["sample_id"].to_pylist()],
        classes,
    )
    known = _confident(
        reference["probabilities"].to_pylist(),
        reference["prediction"],
        [components[sample] for sample in reference["sample_id"].to_pylist()],
        classes,
    )
    expected = expected_by_confidence(
        tonight,
        known,
        _places(reference["truth"], classes),
        params.evaluate.resamples,
        params.seed,
    )
    bounds = "" if np.isnan(expected.low) else f" ({expected.low:.3f} to {expected.high:.3f})"
    return f"; by their probabilities macro-F1 is {expected.macro_f1:.3f}{bounds}"


def _confident(
    probabilities: Sequence[Sequence[float]],
    answers: pa.ChunkedArray,
    components: Sequence[str],
    classes: Sequence[str],
) -> Confident:
    return Confident(
        np.array(probabilities, np.float64), _places(answers, classes), np.array(components)
    )


def _places(labels: pa.ChunkedArray, classes: Sequence[str]) -> np.ndarray:
    """int (n,): which class a label is."""
    return np.array(pc.index_in(labels, value_set=pa.array(classes)).to_pylist(), int)


def _by_sample(table: pa.Table) -> dict[str, str]:
    names, values = (column.to_pylist() for column in table.columns)
    return dict(zip(names, values, strict=True))
