"""Where a sample's numbers come from, from its predictions back to its source files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.core.errors import PipelineError
from pipeline.core.files.documents import document, reading
from pipeline.core.folders import ASSETS, CLEAN, EVALUATION, MODELS
from pipeline.parts.manifest import MANIFEST, load_manifest
from pipeline.store.model_card import CARD, Card
from pipeline.store.trees.git import describe_head
from pipeline.store.trees.revision import Revision

if TYPE_CHECKING:
    from pipeline.store.base import BaseStore
    from pipeline.store.trees.tree import Tree


def trace_sample(store: BaseStore, sample_id: str) -> dict[str, Any]:
    """A sample, its assets, what was made of them, and what the models made of that.

    Returns
    -------
    dict
        `sample`: its row. `revision`, `commit`: whence it is read. `modalities`: by modality the
        `asset` (source file, digest), the `clean` row (part, content, measurements) and by feature
        set the `features` (part, row, encoder, provenance). `predictions`: one per model and task,
        each with what its model was trained on.

    Raises
    ------
    PipelineError
        There is no such sample, or a table that it is in is not there.
    """
    tree = store.tree
    sample = _sample(store, sample_id)
    modalities = {}
    for modality in tree.names(CLEAN):
        digest = sample.get(modality)
        if digest is None:
            continue
        sets = [name for name in store if store[name].section.get("modality") == modality]
        modalities[modality] = {
            "asset": _row(tree, f"{ASSETS}/{modality}", digest),
            "clean": _row(tree, f"{CLEAN}/{modality}", digest),
            "features": {name: _feature(store, name, digest) for name in sets},
        }
    return {
        "revision": tree.name,
        "commit": tree.commit if isinstance(tree, Revision) else describe_head(tree.project),
        "sample": {name: value for name, value in sample.items() if value is not None},
        "modalities": modalities,
        "predictions": list(_predictions(tree, sample_id)),
    }


def _sample(store: BaseStore, sample_id: str) -> dict[str, Any]:
    samples = store.samples()
    matches = samples.filter(pc.equal(samples["sample_id"], sample_id)).to_pylist()
    if not matches:
        near = samples.filter(pc.match_substring(samples["sample_id"], sample_id))["sample_id"]
        hint = f"; like it: {', '.join(near.to_pylist()[:5])}" if near else ""
        raise PipelineError(f"{store.tree.name} has no sample '{sample_id}'{hint}")
    return dict(matches[0])


def _row(tree: Tree, folder: str, digest: str) -> dict[str, Any] | None:
    """The row of a digest, without its bytes, and the part that it stands in."""
    for part, table, row in _places(tree, folder, digest):
        values = table.slice(row, 1).to_pylist()[0]
        return {**values, "part": part, "row": row}
    return None


def _places(tree: Tree, folder: str, digest: str) -> Iterator[tuple[str, pa.Table, int]]:

    for entry in load_manifest(tree.file(f"{folder}/{MANIFEST}")):
        path = tree.file(f"{folder}/{entry.key}.parquet")
        with reading(path), pq.ParquetFile(path) as file:
            names = [name for name in file.schema_arrow.names if name != "data"]
            table = file.read(columns=names)
        row = pc.index(table["digest"], digest).as_py() if table.num_rows else -1
        if row >= 0:
            yield entry.key, table, row


def _feature(store: BaseStore, name: str, digest: str) -> dict[str, Any] | None:
    """Where a set holds an asset, and what made it."""
    features = store[name]
    place = int(features.find([digest])[0])
    if place < 0:
        return None
    made_by = features.provenance
    for entry in features.parts(0):
        if place < entry.rows:
            return {
                "part": entry.key,
                "row": place,
                "function": made_by["function"],
                "provenance": made_by["digest"],
                "parameters": made_by["parameters"],
                "weights": made_by["weights"],
            }
        place -= entry.rows
    raise AssertionError("a place lies in a part")


def _is_right(row: Mapping[str, Any]) -> bool:
    """A number, which has no probabilities, is neither right nor wrong: it passes for right."""
    return not row["probabilities"] or row["truth"] in (None, row["prediction"])


def _predictions(tree: Tree, sample_id: str) -> Iterator[dict[str, Any]]:
    """What every model made of a sample that it had not seen, surest first."""
    for model in tree.names(EVALUATION):
        if "predictions.parquet" not in tree.names(f"{EVALUATION}/{model}"):
            continue
        path = tree.file(f"{EVALUATION}/{model}/predictions.parquet")
        card = document(tree.file(f"{MODELS}/{model}/{CARD}"), Card)
        with reading(path):
            rows = pq.read_table(path, filters=[("sample_id", "=", sample_id)], partitioning=None)
        for row in rows.to_pylist():
            yield {
                "model": model,
                "task": row["task"],
                "split": row["split"],
                "prediction": row["prediction"],
                "probability": max(row["probabilities"], default=None),
                "truth": row["truth"],
                "right": _is_right(row),
                "present": row["present"],
                "trained_on": card.inputs,
            }
