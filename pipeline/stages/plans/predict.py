"""predict@name: data/samples and data/features of one source, by a model → data/predictions/<name>.

A row's key is what the sample has and the keys of its features, so that new samples cost themselves
alone, and another model costs its answers, as the features stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.files.digest import digest_bytes, digest_json
from pipeline.core.folders import CLEAN, DATA, FEATURES, PREDICTIONS, SAMPLES
from pipeline.execution.choose import chooser
from pipeline.execution.probe import processor_on
from pipeline.models.feature_compatibility import check_features
from pipeline.params import Params
from pipeline.parts import manifest
from pipeline.parts.fingerprint import fingerprint
from pipeline.parts.part import Row, row_key
from pipeline.parts.plan import PartsPlan
from pipeline.project.model_files import find_model
from pipeline.stages.work.predict import Answered, Predict, Refusal
from pipeline.store.format.reader import StoredFeatures
from pipeline.store.trees.tree import WorkTree


@dataclass(frozen=True)
class _Stored:
    """Rows of a feature set by asset: digest → (key, place, length) and, of the refused, why."""

    rows: dict[str, tuple[str, int, int]]
    refused: dict[str, Refusal]


def plan(params: Params, name: str, root: Path = Path(DATA)) -> PartsPlan:
    """Answer for the samples of a source, with the features that stand.

    Raises
    ------
    PipelineError
        There is no such model, or it was trained on other features than these.
    """
    options = params.predict[name]
    files = find_model(root.parent, options.model)
    about = files.about
    learned = files.options
    outs = {used: root / FEATURES / used for used in about.features}
    outs |= {f"{CLEAN}/{m}": root / CLEAN / m for m in files.modalities}
    functions = {made: manifest.read_function(out) for made, out in outs.items()}
    check_features(about.model, about.trained_on, functions)
    digests = {used: digest_json(functions[used]) for used in about.features}
    work = Predict(
        name,
        files,
        learned.tasks,
        files.sets,
        digests,
        {used: manifest.manifest_digest(outs[used]) for used in about.features},
        root.absolute(),
        fingerprint(
            "predict",
            ["pipeline.stages.work.predict", *learned.modules],
            {"model": about.model, "files": about.files, "features": digests},
            processor=processor_on("cpu", params.execution),
        ),
    )
    return PartsPlan(
        out=root / PREDICTIONS / name,
        work=work,
        rows=lambda: _rows(work, options.source, root),
        reads=lambda: [manifest.manifest_digest(out) for out in (root / SAMPLES, *outs.values())],
        cut=(params.parts.mean_rows, params.parts.max_bytes),
        executor=chooser(params.execution),
        reject_limit=1.0,  # each row tells by itself why it has no answer
    )


def _rows(work: Predict, source: str, root: Path) -> Iterator[Row]:
    """The samples of the source, each with what cleaning and encoding left of it."""
    modality_of = {spec.name: spec.modality for spec in work.sets}
    cleaned = {m: _refused(root / CLEAN / m, m) for m in modality_of.values()}
    stored = {used: _stored(root, used, modality) for used, modality in modality_of.items()}
    for entry, table in manifest.read_each(root / SAMPLES):
        if entry.source != source:
            continue
        for sample in table.to_pylist():
            inputs = {m: sample[m] for m in sorted(cleaned) if sample.get(m) is not None}
            features, keys, refused = {}, {}, []
            for modality, digest in inputs.items():
                if digest in cleaned[modality]:
                    refused.append(cleaned[modality][digest])
                for used in (name for name, m in modality_of.items() if m == modality):
                    if digest in stored[used].rows:
                        keys[used], *place = stored[used].rows[digest]
                        features[used] = (place[0], place[1])
                    elif digest in stored[used].refused:
                        refused.append(stored[used].refused[digest])
            yield Row(
                digest=digest_bytes(sample["sample_id"].encode()),
                key=row_key(sample["sample_id"], inputs, keys, refused),
                source=entry.source,
                batch=entry.batch,
                size=0,
                spec=Answered(sample["sample_id"], inputs, features, tuple(refused)),
            )


def _stored(root: Path, name: str, modality: str) -> _Stored:
    table = StoredFeatures(WorkTree(root), name).columns(["digest", "key", "length"])
    columns = (table[column].to_pylist() for column in ("digest", "key", "length"))
    rows = {
        digest: (key, place, length)
        for place, (digest, key, length) in enumerate(zip(*columns, strict=True))
    }
    return _Stored(rows, _refused(root / FEATURES / name, modality))


def _refused(out: Path, modality: str) -> dict[str, Refusal]:
    """Digest of an asset → why a stage refused it."""
    return {
        reject.digest: (modality, reject.stage, reject.reason, reject.message)
        for reject in manifest.rejects(out.joinpath)
    }
