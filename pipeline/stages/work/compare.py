"""Answers out of fold of all models → tables on disk that say which is better."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.core.files.csv_table import write_table

if TYPE_CHECKING:
    from pipeline.models.comparison.comparison import Table
    from pipeline.models.comparison.folds import Fold
    from pipeline.models.comparison.options import ComparisonOptions
    from pipeline.models.examples import Examples
    from pipeline.store.join import Joined

COLUMNS = {
    "leaderboard": (
        *("model", "kind", "modalities", "parameters", "macro_f1", "low", "high", "deviation"),
        *("together", "accuracy", "ece", "inner_macro_f1", "diverged"),
    ),
    "paired": ("model", "other", "value", "low", "high", "p", "corrected"),
    "missing": (
        *("model", "shown", "macro_f1", "other", "other_macro_f1", "value", "low", "high"),
    ),
    "choices": ("fold", "model", "inner_macro_f1"),
    "classes": ("model", "class", "n", "components", "f1"),
    "label_errors": (
        *("sample_id", "component", "given", "suggested", "self_confidence", "margin"),
        *("disagreeing", "same_label"),
    ),
    "shortcuts": ("column", "macro_f1"),
    "gaps": ("fold", "class", "lacking"),
}


@dataclass(frozen=True)
class Comparison:
    """What was found.

    Attributes
    ----------
    summary:
        Task, n, components, classes and the leak probe.
    tables:
        Name → rows, of the columns in COLUMNS and perhaps others.
    """

    summary: Mapping[str, Any]
    tables: Mapping[str, Table]


def compare_models(
    options: ComparisonOptions,
    modalities: Mapping[str, str],
    kinds: Mapping[str, str],
    seed: int,
    root: Path,
) -> Comparison:
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
        A model's answers are not of the same samples as the others', or a component stands on both
        sides of a fold.
    """
    from pipeline.models.comparison.baseline_candidates import baseline_candidates
    from pipeline.models.comparison.comparison import comparison_tables
    from pipeline.models.comparison.folds import make_folds, missing_classes
    from pipeline.models.comparison.leak_probe import check_apart
    from pipeline.models.comparison.model_candidates import trained_candidate
    from pipeline.models.comparison.shortcuts import find_shortcuts
    from pipeline.store.join import join_work_tree

    joined = join_work_tree(root, modalities)
    task = options.task
    data, classes, labelled = _labelled_examples(joined, options, modalities, kinds)
    truth = data.targets[task]
    # Every seed has the same outer folds.
    outer_folds = {
        fold.number: fold
        for fold in islice(make_folds(truth, data.component, options, seed), options.folds)
    }
    check_apart(data.component, outer_folds)
    fold_of = np.empty(len(data), np.int64)
    for fold in outer_folds.values():
        fold_of[fold.outer] = fold.number
    candidates = [
        *(
            trained_candidate(name, root, data, options, modalities, classes)
            for name in options.models
        ),
        *baseline_candidates(data, task, len(classes), outer_folds, options.baseline, seed),
    ]
    tables = comparison_tables(
        candidates, fold_of, truth, data.component, data.sample_ids, classes, options, seed
    )
    shortcuts = find_shortcuts(_metadata_columns(joined, task, labelled), truth, outer_folds)
    tables["shortcuts"] = [{"column": name, "macro_f1": score} for name, score in shortcuts.items()]
    tables["gaps"] = missing_classes(truth, outer_folds, classes)
    return Comparison(_summary(data, outer_folds, options, seed), tables)


def _labelled_examples(
    joined: Joined,
    options: ComparisonOptions,
    modalities: Mapping[str, str],
    kinds: Mapping[str, str],
) -> tuple[Examples, list[str], np.ndarray]:
    """The samples of known truth, the classes of the task, and which samples those are (a mask)."""
    from pipeline.models.examples import build_examples, classes_of

    task = options.task
    tasks = {task: next(iter(options.models.values())).as_kinds(kinds).tasks[task]}
    classes = classes_of(joined, tasks)
    data = build_examples([joined], modalities, classes, tasks)
    labelled = data.targets[task] >= 0
    return data.take(labelled), classes[task], labelled


def _summary(
    data: Examples, folds: Mapping[int, Fold], options: ComparisonOptions, seed: int
) -> dict[str, Any]:
    """How many samples, components and classes there are, and what the leak probe says of them."""
    from pipeline.core.randomness import generator
    from pipeline.models.comparison.baseline_candidates import first_view
    from pipeline.models.comparison.leak_probe import probe_leaks

    truth = data.targets[options.task]
    inputs = [first_view(data, name) for name in options.baseline.features.values()]
    return {
        "task": options.task,
        "n": len(data),
        "components": len(np.unique(data.component)),
        "classes": len(np.unique(truth)),
        "probe": probe_leaks(
            np.concatenate(inputs, 1),
            truth,
            data.component,
            folds,
            options.shuffles,
            generator(seed, "probe"),
        ),
    }


def _metadata_columns(joined: Joined, task: str, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Name → what stands beside some rows (a mask), other than their content and their names."""
    keys = sorted({key for attributes in joined.attributes for key in attributes})
    columns = {
        "source": joined.source,
        "batch": joined.batch,
        **{name: values for name, values in joined.targets.items() if name != task},
        **{
            key: np.array([attributes.get(key, "") for attributes in joined.attributes])
            for key in keys
        },
        **{f"{name} is there": values for name, values in joined.present.items()},
        **{f"length of {name}": values for name, values in joined.lengths.items()},
    }
    return {name: values[rows] for name, values in columns.items()}


def write_comparison(folder: Path, result: Comparison) -> None:
    """One CSV file per table, and metrics.json with the summary and the best of each kind."""
    for name, columns in COLUMNS.items():
        rows = [{column: row.get(column) for column in columns} for row in result.tables[name]]
        write_table(folder / f"{name}.csv", columns, rows)
    best: dict[str, float] = {}
    for row in result.tables["leaderboard"]:  # the best first
        best.setdefault(row["kind"], row["macro_f1"])
    text = json.dumps({**result.summary, "macro_f1": best}, indent=1) + "\n"
    (folder / "metrics.json").write_text(text, encoding="utf-8")
