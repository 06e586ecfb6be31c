"""Everything that was refused, gathered from what the stages left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.core.failure_log import logs_of
from pipeline.core.files.documents import document
from pipeline.core.records import Reject
from pipeline.core.terminal import json_line, say, say_tables, text
from pipeline.parts.manifest import MANIFEST, rejects
from pipeline.store.format.reader import StoredFeatures, table_of
from pipeline.store.model_card import CARD, Card
from pipeline.store.trees.tree import Tree


def reject_folders(modalities: Iterable[str], sets: Iterable[str]) -> dict[str, str]:
    """Stage → the folder below the data root of its rows and rejects, in the order of the flow."""
    modalities = tuple(modalities)
    return {
        "ingest": "samples",
        **{f"ingest/{name}": f"assets/{name}" for name in modalities},
        **{f"clean/{name}": f"clean/{name}" for name in modalities},
        **{f"augment/{name}": f"augmented/{name}" for name in modalities},
        **{f"extract/{name}": f"features/{name}" for name in sets},
        "curate": "curated",
    }


def unseen_samples(tree: Tree, model: str) -> list[Reject]:
    """The samples that a model was to learn from or stop by, but has no feature of.

    The model's card counts them; the tables that it was trained on say which they are.

    Raises
    ------
    PipelineError
        The model is not trained, or those tables are not there.
    """
    if CARD not in tree.names(f"models/{model}"):
        raise PipelineError(f"the model {model} is not trained: run `dvc repro`")
    card = document(tree.file(f"models/{model}/{CARD}"), Card)
    if not any(split.unseen for split in card.samples.values()):
        return []
    digests_by_modality: dict[str, set[str]] = {}
    for name, feature_set in card.features.items():
        digests = StoredFeatures(tree, name).columns(["digest"])["digest"]
        digests_by_modality.setdefault(feature_set.modality, set()).update(digests.to_pylist())
    columns = ["sample_id", "source", "batch", "split", *digests_by_modality]
    return sorted(
        Reject(
            stage=f"train/{model}",
            source=row["source"],
            batch=row["batch"],
            subject_kind="sample",
            subject=row["sample_id"],
            digest="",
            reason="no_modality",
            message=f"the sample has no feature of {', '.join(sorted(digests_by_modality))}",
        )
        for row in table_of(tree, "curated", columns).to_pylist()
        if row["split"] in card.samples
        and not any(row[modality] in digests for modality, digests in digests_by_modality.items())
    )


def collect(
    tree: Tree, tables: Mapping[str, str], models: Iterable[str], stage: str = ""
) -> list[Reject]:
    """The rejects of every finished stage of a tree, or of one, in a fixed order.

    Parameters
    ----------
    tables:
        Stage → folder, as `reject_folders` lists them.
    models:
        Names of models; `train/<model>` is the stage of one.
    stage:
        The one stage to look at. A stage that keeps no rejects has none.

    Raises
    ------
    PipelineError
        `stage` has not finished, or none has.
    """
    folders = [folder for name, folder in tables.items() if stage in ("", name)]
    trained = [name for name in models if stage in ("", f"train/{name}")]
    if not stage:
        folders = [folder for folder in folders if MANIFEST in tree.names(folder)]
        trained = [name for name in trained if CARD in tree.names(f"models/{name}")]
        if not folders:
            raise PipelineError(f"no stage has finished in {tree.name}: run `dvc repro`")
    recorded = [reject for folder in folders for reject in rejects(_files(tree, folder))]
    return sorted(
        [*recorded, *(reject for name in trained for reject in unseen_samples(tree, name))]
    )


def _files(tree: Tree, folder: str) -> Callable[[str], Path]:
    return lambda name: tree.file(f"{folder}/{name}")


def print_lines(rejected: Iterable[Reject]) -> None:
    """One JSON object per line."""
    for reject in rejected:
        say(json_line(asdict(reject)))


def print_tables(rejected: Sequence[Reject]) -> None:
    """A table for each stage and reason, with the subjects and messages.

    Below what a row function raised on stand the files that hold its tracebacks.
    """
    from rich.table import Table

    def kind(reject: Reject) -> tuple[str, str]:
        return reject.stage, reject.reason

    if not rejected:
        say("nothing was refused")
    for (stage, reason), group in groupby(sorted(rejected, key=kind), key=kind):
        rows = list(group)
        title = text(f"{stage}: {len(rows)} {reason}")
        table = Table(title=title, title_justify="left", expand=True)
        for column in ("batch", "what", "message"):
            table.add_column(column, overflow="fold")
        for reject in rows:
            what = f"{reject.subject_kind} {reject.subject}"
            cells = (f"{reject.source}/{reject.batch}", what, reject.message)
            table.add_row(*map(text, cells))
        say_tables(table)
        if reason == "failed":
            paths = logs_of(stage, {reject.digest for reject in rows})
            say(f"tracebacks: {', '.join(map(str, paths)) or 'none here; computed elsewhere'}")
