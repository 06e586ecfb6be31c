"""Answers out of fold of all models → tables on disk that say which is better."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError
from pipeline.protocol.candidate import Candidate

if TYPE_CHECKING:
    from pipeline.models.examples import Examples
    from pipeline.protocol.comparison import Table
    from pipeline.protocol.options import Options

COLUMNS = {
    "leaderboard": (
        *("model", "kind", "modalities", "parameters", "macro_f1", "low", "high", "deviation"),
        *("together", "accuracy", "ece", "inner_macro_f1"),
    ),
    "paired": ("model", "other", "value", "low", "high", "p", "corrected"),
    "missing": (
        *("model", "shown", "macro_f1", "other", "other_macro_f1", "value", "low", "high"),
    ),
    "choices": ("fold", "model", "inner_macro_f1"),
    "classes": ("model", "class", "n", "components", "f1"),
    "suspects": (
        *("sample_id", "component", "given", "suggested", "self_confidence", "margin"),
        *("denied", "alike"),
    ),
}


@dataclass(frozen=True)
class Compared:
    """What was found.

    Attributes
    ----------
    summary:
        As metrics.json has it: task, n, components, classes, figures of models, leak probe.
    tables:
        Name → rows, of the columns in COLUMNS and perhaps others.
    """

    summary: Mapping[str, Any]
    tables: Mapping[str, Table]


def compare(
    options: Options,
    modalities: Mapping[str, str],
    kinds: Mapping[str, str],
    seed: int,
    root: Path,
) -> Compared:
    """Compare all cross-validated models with each other, the baseline and chance.

    Parameters
    ----------
    modalities:
        Feature set → modality, of all sets that models or the baseline read.
    kinds:
        Target → its kind.
    root:
        The data directory.

    Raises
    ------
    PipelineError
        A model's answers are not of the same samples as the others', or the folds leak.
    """
    import numpy as np

    from pipeline.models.examples import classes_of, examples
    from pipeline.protocol import comparison
    from pipeline.protocol.folds import folds
    from pipeline.protocol.probe import probe
    from pipeline.protocol.references import first_view, references
    from pipeline.randomness import generator
    from pipeline.store.join import join

    joined = join(root, modalities)
    task = options.task
    tasks = next(iter(options.models.values())).as_kinds(kinds).tasks
    tasks = {task: tasks[task]}
    classes = classes_of(joined, tasks)[task]
    whole = examples([joined], modalities, {task: classes}, tasks)
    whole = whole.take(whole.targets[task] >= 0)
    truth = whole.targets[task]
    # Every seed has the same outer folds.
    dealt = {
        fold.number: fold
        for fold in islice(folds(truth, whole.component, options, seed), options.folds)
    }
    number = np.empty(len(whole), np.int64)
    for fold in dealt.values():
        number[fold.outer] = fold.number
    candidates = [
        *(
            _candidate(name, root, whole, options, modalities, len(classes))
            for name in options.models
        ),
        *references(whole, task, len(classes), dealt, options.baseline, seed),
    ]
    tables = comparison.compare(
        candidates, number, truth, whole.component, whole.sample_ids, classes, options, seed
    )
    inputs = [first_view(whole, name) for name in options.baseline.features.values()]
    summary = {
        "task": task,
        "n": len(whole),
        "components": len(np.unique(whole.component)),
        "classes": len(np.unique(truth)),
        "models": {row["model"]: _figures(row) for row in tables["leaderboard"]},
        "probe": probe(
            np.concatenate(inputs, 1),
            truth,
            whole.component,
            dealt,
            options.shuffles,
            generator(seed, "probe"),
        ),
    }
    return Compared(summary, tables)


def write(folder: Path, found: Compared) -> None:
    """A CSV file a table, and metrics.json."""
    for name, columns in COLUMNS.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows(found.tables[name])
    text = json.dumps(found.summary, indent=1) + "\n"
    (folder / "metrics.json").write_text(text, encoding="utf-8")


def _candidate(
    name: str,
    root: Path,
    whole: Examples,
    options: Options,
    modalities: Mapping[str, str],
    classes: int,
) -> Candidate:
    """What a model answered, put in the order of all samples."""
    import numpy as np

    from pipeline import manifest
    from pipeline.models.metrics import scores
    from pipeline.protocol.crossvalidation import subsets

    used = tuple(sorted({modalities[one] for one in options.models[name].features}))
    every = len({*modalities.values()})
    truth = whole.targets[options.task]
    place = {sample: i for i, sample in enumerate(whole.sample_ids.tolist())}
    probabilities = {
        "+".join(subset): np.full((options.seeds, len(whole), classes), np.nan, np.float32)
        for subset in subsets(used)
    }
    inner: dict[int, list[np.ndarray]] = {}
    parameters = 0
    for row in manifest.read(root / "crossvalidation" / name).to_pylist():
        samples, held = (
            [place.get(sample, -1) for sample in row[column]]
            for column in ("sample_id", "inner_sample_id")
        )
        flat = np.asarray(row["probabilities"], np.float32)
        asked = row["shown"] == list(probabilities) and row["seed"] < options.seeds
        if not asked or -1 in samples + held:
            continue
        for shown, one in zip(row["shown"], np.split(flat, len(row["shown"])), strict=True):
            probabilities[shown][row["seed"], samples] = one.reshape(len(samples), classes)
        own = np.reshape(row["inner_probabilities"], (len(held), classes))
        inner.setdefault(row["fold"], []).append(np.stack([truth[held], own.argmax(1)]))
        parameters = row["parameters"]
    if any(np.isnan(each).any() for each in probabilities.values()):
        raise PipelineError(
            f"data/crossvalidation/{name} is of other samples, folds or seeds: run "
            f"`dvc repro comparison/dvc.yaml` for it again"
        )
    return Candidate(
        name=name,
        kind="single" if len(used) == 1 else "fusion" if len(used) == every else "partial",
        modalities=used,
        probabilities=list(probabilities["+".join(used)]),
        predictions={shown: list(p.argmax(2)) for shown, p in probabilities.items()},
        inner={
            fold: scores(*np.concatenate(each, 1))["macro_f1"]
            for fold, each in sorted(inner.items())
        },
        parameters=parameters,
    )


def _figures(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("macro_f1", "low", "high", "together", "ece")
    return {name: row[name] for name in names if row[name] is not None}
