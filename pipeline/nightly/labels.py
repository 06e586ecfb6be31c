"""The labels of tonight's batches, held against what the model in use answers.

It has learnt from none of them, and is asked before anything is trained: a batch whose labels were
mixed up stays out as any that breaks its contract.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.errors import PipelineError
from pipeline.core.folders import CURATED, DATA
from pipeline.core.randomness import generator
from pipeline.monitoring.contract import Violation
from pipeline.monitoring.label_agreement import LabelledAnswers, check_labels, label_agreement
from pipeline.nightly.model_answers import Answer, asked, is_choice
from pipeline.params import Params
from pipeline.params.aliases import Alias
from pipeline.project.model_files import ModelFiles, find_model
from pipeline.store.format.reader import table_of
from pipeline.store.trees.revision import Revision
from pipeline.store.trees.tree import WorkTree

logger = logging.getLogger(__name__)
Key = tuple[str, str]
TEST = "test"
UNCHECKED = "labels are not checked against the model in use: %s"


def model_to_ask(params: Params, champion: Alias | None, task: str) -> ModelFiles | None:
    """The model in use; None where there is none, or the task is not to choose one class.

    None, too, where it cannot be asked, of which the log tells.
    """
    if champion is None or not is_choice(params, task):
        return None
    try:
        files = find_model(Path(), champion.model, champion.revision)
    except PipelineError as error:
        logger.warning(UNCHECKED, error)
        return None
    read = {*files.about.features, *files.modalities}
    if gone := sorted(read - {*params.features, *params.modalities}):
        logger.warning(UNCHECKED, f"params.yaml has no {', '.join(gone)} any more")
        return None
    return files


def label_violations(
    params: Params, files: ModelFiles, task: str, tonight: Collection[Key], batches: Sequence[Key]
) -> list[Violation]:
    """What the labels of batches break, once they are curated and their features stand.

    A model that cannot be asked holds nothing, of which the log tells.

    Parameters
    ----------
    tonight:
        All that landed, (source, batch), of which no component counts as one of the test split.
    batches:
        Those of them to check, whose source has a contract.
    """
    rng = generator(params.seed, "labels", files.about.digest)
    try:
        new, test = _labelled(files, task, tonight)
        if not len(new) or not len(test):
            return []
        test = _without(test, new, files.modalities, rng)
        answers = asked(files, pa.concat_tables([new, test]), task, TEST)
    except PipelineError as error:
        logger.warning(UNCHECKED, error)
        return []
    reference = _answered(test, answers)
    violations = []
    for source, batch in batches:
        contract = params.contract[source]
        of_batch = pc.and_(pc.equal(new["source"], source), pc.equal(new["batch"], batch))
        agreement = label_agreement(
            reference,
            _answered(new.filter(of_batch), answers),
            contract.chance,
            params.monitoring.drift,
            rng,
        )
        if agreement is not None:
            violations.append(check_labels((source, batch), task, agreement, contract))
    return [violation for violation in violations if violation is not None]


def _labelled(files: ModelFiles, task: str, tonight: Collection[Key]) -> tuple[pa.Table, pa.Table]:
    """Curated samples with a label: tonight's, and the test components without any of these.

    No sample of such a component is one that the model learnt from.
    """
    curated = table_of(WorkTree(Path(DATA)), CURATED)
    curated = curated.filter(pc.is_valid(curated[f"target.{task}"]))
    pairs = zip(curated["source"].to_pylist(), curated["batch"].to_pylist(), strict=True)
    is_new = pa.array([pair in tonight for pair in pairs], pa.bool_())
    learnt = table_of(Revision.at(Path(), files.about.revision), CURATED, ["sample_id", "split"])
    learnt = learnt.filter(pc.not_equal(learnt["split"], TEST))
    taken = pc.or_(is_new, pc.is_in(curated["sample_id"], value_set=learnt["sample_id"]))
    others = pc.unique(curated["component"].filter(taken))
    is_test = pc.and_(
        pc.equal(curated["split"], TEST),
        pc.invert(pc.is_in(curated["component"], value_set=others)),
    )
    return curated.filter(is_new), curated.filter(is_test)


def _without(
    test: pa.Table, new: pa.Table, modalities: Sequence[str], rng: np.random.Generator
) -> pa.Table:
    """Test samples, of which so many components lack each modality as among the new ones."""
    place = np.unique(test["component"].to_numpy(zero_copy_only=False), return_inverse=True)[1]
    for modality in modalities:
        usual, now = (1 - each[modality].null_count / len(each) for each in (test, new))
        hidden = rng.random(place.max() + 1) >= (now / usual if usual else 1.0)
        column = pc.if_else(pa.array(hidden[place]), pa.scalar(None, pa.string()), test[modality])
        test = test.set_column(test.column_names.index(modality), modality, column)
    return test


def _answered(samples: pa.Table, answers: Mapping[str, Answer]) -> LabelledAnswers:
    """What the model answered to those samples of which it saw anything."""
    pairs = zip(samples["sample_id"].to_pylist(), samples["component"].to_pylist(), strict=True)
    rows = [(component, answers[name]) for name, component in pairs if name in answers]
    return LabelledAnswers(
        np.array([component for component, _ in rows], str),
        np.array([answer.truth for _, answer in rows], str),
        np.array([answer.truth == answer.prediction for _, answer in rows], bool),
        np.array([answer.of_truth for _, answer in rows], float),
    )
