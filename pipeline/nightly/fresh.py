"""Tonight's labelled components, answered by two models before either could learn from them.

Tonight's challenger is trained on tonight's data. So it is the challenger of the last night that
answers them beside the model in use: both were trained before anything of tonight landed, so that
what is seen of them is prequential (Dawid 1984, "Statistical theory: the prequential approach",
JRSS A 147), and every component is judged on the night in which it lands and never again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.errors import PipelineError
from pipeline.core.folders import CLEAN, CURATED, DATA, MODELS
from pipeline.modalities import modality_of
from pipeline.monitoring.batch_profile import known_assets
from pipeline.nightly.journal import Night
from pipeline.nightly.model_answers import Answer, asked
from pipeline.nightly.recipe import model_name, recipe
from pipeline.nightly.record import read_records
from pipeline.params import Params, parse
from pipeline.params.aliases import Alias
from pipeline.project.model_files import find_model
from pipeline.store.format.reader import table_of
from pipeline.store.trees.revision import Revision
from pipeline.store.trees.tree import Tree, WorkTree

logger = logging.getLogger(__name__)
SPLIT = "fresh"
# Sample → answer, of the model in use and of another.
Answers = tuple[Mapping[str, Answer], Mapping[str, Answer]]


def fresh_answers(
    params: Params, model: str, task: str, night: Night, champion: Alias
) -> Answers | None:
    """Answers of the model in use and of the last night's challenger; None if there are none.

    There are none where nothing landed of which both knew nothing, where both are one model, where
    the challenger is of another recipe than tonight's, and where one of them cannot be asked, of
    which the log tells.
    """
    last = next((row["revision"] for row in reversed(read_records()) if row["revision"]), None)
    if last is None or not night.batches():
        return None
    try:
        before, after = (Revision.at(Path(), each) for each in (champion.revision, last))
        if model not in after.names(MODELS):
            return None
        if model_name(before, champion.model) == model_name(after, model):
            return None
        if recipe(after, parse(after.params), model) != recipe(WorkTree(Path(DATA)), params, model):
            return None
        samples = _unseen(params, task, night, (before, after))
        if not len(samples):
            return None
        return (
            asked(find_model(Path(), champion.model, champion.revision), samples, task, SPLIT),
            asked(find_model(Path(), model, last), samples, task, SPLIT),
        )
    except PipelineError as error:
        logger.warning("no fresh components are asked: %s", error)
        return None


def _unseen(params: Params, task: str, night: Night, trained: Sequence[Tree]) -> pa.Table:
    """Tonight's curated samples with a truth, of components that no data trained on had part of.

    A component is left out if a sample of it stood before tonight, or if a group or an asset of it,
    or an asset near to one, is among the curated data of a model, though these may be withdrawn by
    now. Assets count by which components join.
    """
    tonight = {(delivery.source, delivery.batch) for delivery in night.batches()}
    curated = table_of(WorkTree(Path(DATA)), CURATED)
    joining = [name for name in params.modalities if params.curate.join(name) != "none"]
    learnt = [table_of(tree, CURATED, ["source", "group", *joining]) for tree in trained]
    groups = {
        pair for table in learnt for pair in zip(*_lists(table, "source", "group"), strict=True)
    }
    known = {
        name: _known(params, name, curated[name], pa.concat_tables(learnt)[name], trained)
        for name in joining
    }
    rows = curated.select(["source", "batch", "group", "component", *joining]).to_pylist()
    seen = {
        row["component"]
        for row in rows
        if (row["source"], row["batch"]) not in tonight
        or (row["source"], row["group"]) in groups
        or any(row[name] in known[name] for name in joining)
    }
    fresh = pc.invert(pc.is_in(curated["component"], value_set=pa.array(sorted(seen), pa.string())))
    return curated.filter(pc.and_(fresh, pc.is_valid(curated[f"target.{task}"])))


def _known(
    params: Params,
    modality: str,
    digests: pa.ChunkedArray,
    learnt: pa.ChunkedArray,
    trained: Sequence[Tree],
) -> frozenset[str]:
    """Which assets are equal or near to what models were trained on."""
    key = modality_of(modality).LEAK_KEY if params.curate.join(modality) == "near" else None
    columns = ["digest", "content", *([key] if key else [])]
    trees = [WorkTree(Path(DATA)), *trained]
    measured = pa.concat_tables([table_of(t, f"{CLEAN}/{modality}", columns) for t in trees])
    return known_assets(modality, digests, learnt, measured, params.curate)


def _lists(table: pa.Table, *names: str) -> list[list[str]]:
    return [table[name].to_pylist() for name in names]
