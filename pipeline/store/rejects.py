"""Everything that was refused, gathered from what the stages left, and what is absent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.core.files.documents import document
from pipeline.core.folders import ASSETS, AUGMENTED, CLEAN, CURATED, FEATURES, MODELS, SAMPLES
from pipeline.core.records import Reject
from pipeline.core.remedies import remedy
from pipeline.parts.manifest import MANIFEST, rejects
from pipeline.parts.refusals import kept
from pipeline.store.format.reader import table_of
from pipeline.store.model_card import CARD, Card
from pipeline.store.trees.tree import Tree, WorkTree


@dataclass(frozen=True, order=True)
class NamedReject(Reject):
    """A reject as people read it.

    `file` is the path of what was refused, as ingest found it, or the URI of a file at a root
    elsewhere. A text that stands in a table is named by the table, and by the first sample that
    shows it. It is empty where the subject is a sample. `fix` says what helps, if anything in
    general does.
    """

    file: str = ""
    fix: str = ""


@dataclass(frozen=True)
class Absence:
    """How many samples of a split a model sees, and how many have none of its modalities."""

    model: str
    split: str
    seen: int
    absent: int


def reject_folders(modalities: Iterable[str], sets: Iterable[str]) -> dict[str, str]:
    """Stage → the folder below the data root of its rows and rejects, in the order of the flow."""
    modalities = tuple(modalities)
    return {
        "ingest": SAMPLES,
        **{f"ingest/{name}": f"{ASSETS}/{name}" for name in modalities},
        **{f"clean/{name}": f"{CLEAN}/{name}" for name in modalities},
        **{f"augment/{name}": f"{AUGMENTED}/{name}" for name in modalities},
        **{f"extract/{name}": f"{FEATURES}/{name}" for name in sets},
        "curate": CURATED,
    }


def absences(tree: Tree, models: Iterable[str]) -> list[Absence]:
    """What the cards of trained models count, split by split."""
    return [
        Absence(model, split, counts.seen, counts.unseen)
        for model in models
        if CARD in tree.names(f"{MODELS}/{model}")
        for split, counts in document(tree.file(f"{MODELS}/{model}/{CARD}"), Card).samples.items()
    ]


def collect(tree: Tree, tables: Mapping[str, str], stage: str = "") -> list[NamedReject]:
    """The rejects of every stage of a tree that finished or failed, or of one, in a fixed order.

    Of a stage that failed when it last ran here, they are those of that run.

    Parameters
    ----------
    tables:
        Stage → folder, as `reject_folders` lists them.
    stage:
        The one stage to look at. A stage that keeps no rejects has none.

    Raises
    ------
    PipelineError
        `stage` has neither finished nor failed, or none has.
    """
    wanted = {name: folder for name, folder in tables.items() if stage in ("", name)}
    here = isinstance(tree, WorkTree)
    failed = {name: kept(name, tree.project) if here else None for name in wanted}
    finished = [
        folder
        for name, folder in wanted.items()
        if failed[name] is None and (stage or MANIFEST in tree.names(folder))
    ]
    refused = [reject for left in failed.values() if left is not None for reject in left]
    if not stage and not finished and not refused:
        raise PipelineError(f"no stage has finished in {tree.name}: run `dvc repro`")
    refused += [reject for folder in finished for reject in rejects(_files(tree, folder))]
    return sorted(named(tree, refused))


def named(tree: Tree, refused: Iterable[Reject]) -> list[NamedReject]:
    """Rejects with the files that they are about, and what helps."""
    refused = list(refused)
    digests = {reject.subject for reject in refused if reject.subject_kind == "asset"}
    files = asset_files(tree, digests)
    return [
        NamedReject(**asdict(reject), file=_file(reject, files), fix=_fix(reject))
        for reject in refused
    ]


def asset_files(tree: Tree, digests: Iterable[str]) -> dict[str, str]:
    """Digest → where the asset lies; those that ingest does not list are left out."""
    wanted = set(digests)
    files: dict[str, str] = {}
    for modality in tree.names(ASSETS) if wanted else ():
        folder = f"{ASSETS}/{modality}"
        if MANIFEST not in tree.names(folder):
            continue
        rows = table_of(tree, folder, ["digest", "locator"]).to_pylist()
        shared = Counter(row["locator"] for row in rows)
        locators = {row["digest"]: row["locator"] for row in rows if row["digest"] in wanted}
        inline = {digest for digest, locator in locators.items() if shared[locator] > 1}
        samples = _first_samples(tree, modality, inline)
        files |= {
            digest: f"{locator} (sample {samples[digest]})" if digest in samples else locator
            for digest, locator in locators.items()
        }
    return files


def _first_samples(tree: Tree, modality: str, digests: set[str]) -> dict[str, str]:
    if not digests or MANIFEST not in tree.names(SAMPLES):
        return {}
    rows = table_of(tree, SAMPLES, ["sample_id", modality]).to_pylist()
    # Backwards, so that the first by name stays.
    ordered = sorted(rows, key=lambda row: row["sample_id"], reverse=True)
    return {row[modality]: row["sample_id"] for row in ordered if row[modality] in digests}


def _file(reject: Reject, files: Mapping[str, str]) -> str:
    if reject.subject_kind == "asset":
        return files.get(reject.subject, "")
    if reject.subject_kind in ("file", "row"):
        return f"{reject.source}/{reject.batch}/{reject.subject}"
    return ""


def _fix(reject: Reject) -> str:
    return remedy(reject.stage, reject.reason)


def _files(tree: Tree, folder: str) -> Callable[[str], Path]:
    return lambda name: tree.file(f"{folder}/{name}")
