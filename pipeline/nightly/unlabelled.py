"""Tonight's samples without labels: the model in use answers them, and how well is estimated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.core.errors import PipelineError
from pipeline.core.files.documents import reading
from pipeline.core.folders import ASSETS, CURATED, DATA, EVALUATION, RAW, SAMPLES
from pipeline.core.records import UNLABELLED
from pipeline.inference.prediction_files import prediction_file
from pipeline.inference.predictor import Predictor
from pipeline.inference.samples import Content, Sample
from pipeline.models.tasks import task_of
from pipeline.monitoring.expected_quality import Subset, expected_by_presence, subset_scores
from pipeline.nightly.journal import FOLDER, Answers, Night
from pipeline.params import Params
from pipeline.params.aliases import Alias
from pipeline.parts import manifest
from pipeline.raw.roots import Raw
from pipeline.store.trees.revision import Revision

ANSWERS = FOLDER / "answers"
# What the estimate is of, where the model in use chooses one of several classes or labels.
FIGURE = "macro_f1"


def answer(params: Params, night: Night, champion: Alias | None) -> Answers | None:
    """Answer what curation left out of tonight's batches for want of a target; None if nothing.

    The answers are a table of `Predictor.schema`, a row a sample, in the folder ANSWERS. A model
    that cannot be asked, such as one that other code made the features of, fails no night: the
    answers then have no file, and say why.
    """
    batches = {(delivery.source, delivery.batch) for delivery in night.batches()}
    ids = sorted(
        reject.subject
        for reject in manifest.rejects(Path(DATA, CURATED).joinpath)
        if reject.reason == UNLABELLED and (reject.source, reject.batch) in batches
    )
    if not ids:
        return None
    count = f"{len(ids):,} sample(s) without labels"
    if champion is None:
        return Answers(len(ids), 0, why=f"{count}: no model is in use that could answer them.")
    path = ANSWERS / f"{night.run}.parquet"
    subsets: list[Subset] = []
    try:
        predictor = Predictor.load(Path(), champion.model, champion.revision)
        path.parent.mkdir(parents=True, exist_ok=True)
        with prediction_file(path, predictor.schema()) as write:
            for predicted in predictor.stream(_samples(params, ids)):
                write(predicted.answers)
                subsets += [
                    frozenset(each or ()) for each in predicted.answers["present"].to_pylist()
                ]
    except PipelineError as error:
        return Answers(len(ids), 0, why=f"{count} have no answer: {error}")
    answered = sum(map(bool, subsets))
    why = (
        f"{answered:,} of {count} are answered by {champion.model} at {champion.revision[:12]}, "
        f"in {path}"
    )
    try:
        expected, usual, reason = _expected(params, champion, subsets)
    except PipelineError as error:
        return Answers(len(ids), answered, str(path), why=f"{why}; nothing is expected: {error}")
    return Answers(len(ids), answered, str(path), expected, usual, f"{why}; {reason}")


def _samples(params: Params, ids: Sequence[str]) -> Iterator[Sample]:
    """Samples with their raw contents, in the order of their names."""
    root = Path(DATA)
    raw = Raw((root / RAW).absolute(), params.roots, params.download)
    table = manifest.read(root / SAMPLES)
    rows = table.filter(pc.is_in(table["sample_id"], value_set=pa.array(ids))).sort_by("sample_id")
    assets = {name: _assets(root / ASSETS / name, rows[name]) for name in params.modalities}
    for row in rows.to_pylist():
        yield Sample(
            row["sample_id"],
            {
                name: _content(raw, of_modality[row[name]])
                for name, of_modality in assets.items()
                if row[name] in of_modality
            },
        )


def _assets(folder: Path, digests: pa.ChunkedArray) -> dict[str, dict[str, Any]]:
    table = manifest.read(folder, ["digest", "source", "locator", "data"])
    rows = table.filter(pc.is_in(table["digest"], value_set=pc.unique(digests)))
    return {row["digest"]: row for row in rows.to_pylist()}


def _content(raw: Raw, asset: dict[str, Any]) -> Content:
    """A file by its path, whose ending may say what it is; else the bytes."""
    if asset["data"] is not None:
        return bytes(asset["data"])
    path: Path = raw.folder / asset["locator"]
    if path.is_file():
        return path
    return raw.read(asset["source"], asset["locator"], asset["digest"])


def _expected(
    params: Params, champion: Alias, tonight: Sequence[Subset]
) -> tuple[float | None, float | None, str]:
    """FIGURE expected of the answers and usual on the test split, and a sentence."""
    there = Revision.at(Path(), champion.revision)
    if champion.model not in params.models:
        raise PipelineError(f"params.yaml has no model {champion.model} any more")
    task = params.models[champion.model].primary
    if task_of(params.targets[task]).NUMBER:
        return None, None, f"{task} is a number, of which nothing is expected"
    folder = f"{EVALUATION}/{champion.model}"
    scores = subset_scores(there.file(f"{folder}/subsets.csv"), task, "test", FIGURE)
    path = there.file(f"{folder}/predictions.parquet")
    with reading(path):
        rows = pq.read_table(path, columns=["split", "task", "present"]).to_pylist()
    usual = [
        frozenset(row["present"]) for row in rows if (row["split"], row["task"]) == ("test", task)
    ]
    expected = expected_by_presence(scores, usual, tonight)
    return expected.expected, expected.usual, expected.why
