"""What a model answered to samples of known truth: as it was evaluated, or asked anew tonight."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import PipelineError, unknown
from pipeline.core.files.documents import reading
from pipeline.core.folders import CLEAN, DATA, EVALUATION, FEATURES
from pipeline.models.tasks import task_of
from pipeline.params import Params
from pipeline.parts.manifest import read_function
from pipeline.project.model_files import ModelFiles
from pipeline.store.format.reader import StoredFeatures
from pipeline.store.join import align
from pipeline.store.trees.tree import Tree, WorkTree


@dataclass(frozen=True)
class Answer:
    """To one sample: labels as text, and the modalities that the model saw.

    `of_truth` is the probability that it gave to the truth; NaN where nobody asked.
    """

    split: str
    truth: str
    prediction: str
    present: tuple[str, ...]
    of_truth: float = float("nan")


def is_choice(params: Params, task: str) -> bool:
    """Whether a task is to choose one of several classes, so that an answer is right or wrong."""
    target = params.targets.get(task)
    return target is not None and task_of(target).ONE_CLASS


def evaluated(tree: Tree, model: str, task: str) -> dict[str, Answer]:
    """Sample → answer, of the splits that a model was evaluated on."""
    path = tree.file(f"{EVALUATION}/{model}/predictions.parquet")
    columns = ["sample_id", "split", "task", "truth", "prediction", "present"]
    with reading(path):
        rows = pq.read_table(path, columns=columns).to_pylist()
    return {
        row["sample_id"]: Answer(
            row["split"], row["truth"], row["prediction"], tuple(row["present"])
        )
        for row in rows
        if row["task"] == task and row["truth"] is not None
    }


def asked(files: ModelFiles, samples: pa.Table, task: str, split: str) -> dict[str, Answer]:
    """Sample → answer, of samples whose features stand in the work tree.

    Samples of which the model sees nothing are left out.

    Parameters
    ----------
    samples:
        Rows of the curated table, each with a truth.
    split:
        What to call where they are from.

    Raises
    ------
    PipelineError
        The model has no such task, or was trained on other features than these.
    """
    from pipeline.models.answer_table import answer_table
    from pipeline.models.examples import Examples
    from pipeline.models.saving import load_model
    from pipeline.models.training.determinism import deterministic

    root = Path(DATA)
    made = {spec.name: f"{FEATURES}/{spec.name}" for spec in files.sets}
    made |= {f"{CLEAN}/{name}": f"{CLEAN}/{name}" for name in files.modalities}
    files.check({name: read_function(root / folder) for name, folder in made.items()})
    with files.folder() as folder:
        model = load_model(folder)
    if task not in model.classes:
        raise PipelineError(unknown(f"task of model '{files.about.model}'", task, model.classes))
    tree = WorkTree(root)
    joined = align(
        samples,
        {spec.name: (StoredFeatures(tree, spec.name), spec.modality) for spec in files.sets},
    )
    examples = Examples(
        files.sets,
        {name: values[None].astype(np.float32) for name, values in joined.values.items()},
        {name: lengths[None] for name, lengths in joined.lengths.items()},
        np.stack([joined.present[spec.name] for spec in files.sets], 1),
        {},
        joined.component,
        np.array(joined.sample_ids),
    )
    with deterministic(0, "predict"):
        answers = answer_table(model, examples, [task])
    rows = zip(
        joined.sample_ids,
        samples[f"target.{task}"].to_pylist(),
        answers[f"answer.{task}"].to_pylist(),
        answers["present"].to_pylist(),
        answers[f"probabilities.{task}"].to_pylist(),
        strict=True,
    )
    return {
        sample: Answer(split, truth, prediction, tuple(present), dict(shares).get(truth, 0.0))
        for sample, truth, prediction, present, shares in rows
        if present
    }
