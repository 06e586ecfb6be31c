"""Answers out of fold of all models → tables on disk that say which is better."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    import numpy as np

    from pipeline.models.examples import Examples
    from pipeline.protocol.comparison import Candidate
    from pipeline.protocol.folds import Fold
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
}


def make(
    folder: Path,
    options: Options,
    modalities: Mapping[str, str],
    kinds: Mapping[str, str],
    seed: int,
    root: Path,
) -> None:
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
    from pipeline.protocol.scores import Scorer
    from pipeline.randomness import generator
    from pipeline.store.join import join

    joined = join(root, modalities)
    tasks = next(iter(options.models.values())).as_kinds(kinds).tasks
    tasks = {options.task: tasks[options.task]}
    classes = classes_of(joined, tasks)
    whole = examples([joined], modalities, classes, tasks)
    dealt = list(folds(whole.targets[options.task], whole.component, options, seed))
    base = [
        *_baseline(whole, options, dealt, modalities),
        *_chance(whole, options, dealt, seed),
    ]
    models = [
        _candidate(name, root, whole, options, modalities, len(classes[options.task]))
        for name in options.models
    ]
    judged = np.sort(np.concatenate([fold.outer for fold in dealt if fold.seed == 0]))
    candidates = [_of(one, judged) for one in [*models, *base]]
    number = np.full(len(whole), -1)
    for fold in dealt[: options.folds]:
        number[fold.outer] = fold.number
    truth = whole.targets[options.task][judged]
    scorer = Scorer(
        truth, whole.component[judged], len(classes[options.task]), options.resamples, seed
    )
    picked: dict[int, str] = {}
    if any(one.kind == "fusion" for one in candidates):
        one, picked = comparison.chosen(candidates, number[judged])
        candidates.append(one)
    scores = {one.name: scorer.score(one.answers) for one in candidates}
    missing = [
        row
        for one in candidates
        if one.kind == "fusion"
        for row in comparison.missing(one, candidates, scorer, options.confidence)
    ]
    by_name = {one.name: one for one in candidates}
    tables = {
        "leaderboard": comparison.leaderboard(
            candidates, scores, scorer, truth, options.confidence, options.bins
        ),
        "paired": comparison.paired(candidates, scores, options.confidence),
        "missing": missing,
        "choices": [
            {"fold": k, "model": name, "inner_macro_f1": by_name[name].inner[k]}
            for k, name in picked.items()
        ],
    }
    matrix = np.concatenate([_shown(whole, name) for name in options.baseline.features.values()], 1)
    leak = probe(
        matrix,
        whole.targets[options.task],
        whole.component,
        {fold.number: fold for fold in dealt[: options.folds]},
        options.shuffles,
        generator(seed, "probe"),
    )
    _write(folder, tables)
    summary = {
        "task": options.task,
        "n": len(judged),
        "components": len(np.unique(whole.component[judged])),
        "classes": len(np.unique(truth)),
        "models": {row["model"]: _figures(row) for row in tables["leaderboard"]},
        "probe": leak,
    }
    (folder / "metrics.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")


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
    from pipeline.protocol.comparison import Candidate

    used = tuple(sorted({modalities[one] for one in options.models[name].features}))
    place = {sample: i for i, sample in enumerate(whole.sample_ids.tolist())}
    probabilities = {
        shown: [np.full((len(whole), classes), np.nan, np.float32) for _ in range(options.seeds)]
        for shown in _subsets(used)
    }
    inner: dict[int, list[float]] = {}
    parameters = 0
    rows = manifest.read(root / "crossvalidation" / name).to_pylist()
    for row in rows:
        samples = [place.get(sample, -1) for sample in row["sample_id"]]
        if -1 in samples or row["shown"] != list(probabilities):
            raise PipelineError(
                f"data/crossvalidation/{name} is of other samples: run `dvc repro` for it again"
            )
        flat = np.asarray(row["probabilities"], np.float32)
        for shown, each in zip(
            row["shown"], flat.reshape(len(row["shown"]), len(samples), classes), strict=True
        ):
            probabilities[shown][row["seed"]][samples] = each
        inner.setdefault(row["fold"], []).append(row["inner_macro_f1"])
        parameters = row["parameters"]
    everything = len({*modalities.values()})
    kind = "single" if len(used) == 1 else "fusion" if len(used) == everything else "partial"
    return Candidate(
        name=name,
        kind=kind,
        modalities=used,
        probabilities=probabilities["+".join(used)],
        predictions={shown: [p.argmax(1) for p in each] for shown, each in probabilities.items()},
        inner={fold: float(np.mean(each)) for fold, each in sorted(inner.items())},
        parameters=parameters,
    )


def _subsets(modalities: Sequence[str]) -> list[str]:
    from pipeline.protocol.crossvalidation import subsets

    return ["+".join(subset) for subset in subsets(modalities)]


def _baseline(
    whole: Examples, options: Options, dealt: Sequence[Fold], modalities: Mapping[str, str]
) -> list[Candidate]:
    from pipeline.protocol.baseline import JOINED, MEAN, logistic
    from pipeline.protocol.comparison import Candidate

    sets = options.baseline.features
    found = logistic(
        {name: _shown(whole, used) for name, used in sets.items()},
        whole.targets[options.task],
        {fold.number: fold for fold in dealt if fold.seed == 0},
        int(whole.targets[options.task].max()) + 1,
        options.baseline.C,
    )
    every = tuple(sorted({modalities[used] for used in sets.values()}))
    seen = {
        **{name: (modalities[used],) for name, used in sets.items()},
        JOINED: every,
        MEAN: every,
    }
    return [
        Candidate(
            f"logistic-{name}",
            "baseline",
            seen[name],
            [p],
            {"+".join(seen[name]): [p.argmax(1)]},
            {},
        )
        for name, p in found.items()
    ]


def _chance(whole: Examples, options: Options, dealt: Sequence[Fold], seed: int) -> list[Candidate]:
    from pipeline.protocol.baseline import chance
    from pipeline.protocol.comparison import Candidate
    from pipeline.randomness import generator

    targets = whole.targets[options.task]
    first = {fold.number: fold for fold in dealt if fold.seed == 0}
    found = chance(targets, first, int(targets.max()) + 1, generator(seed, "chance"))
    return [
        Candidate(name, "chance", (), (), {"": [answers]}, {}) for name, answers in found.items()
    ]


def _shown(whole: Examples, name: str) -> np.ndarray:
    """A feature set at view 0, float32 (n, d), zeros where absent."""
    column = [one.name for one in whole.sets].index(name)
    values = whole.values[name][0].reshape(len(whole), -1)
    found: np.ndarray = values * whole.present[:, [column]]
    return found


def _of(one: Candidate, rows: np.ndarray) -> Candidate:
    from dataclasses import replace

    return replace(
        one,
        probabilities=[p[rows] for p in one.probabilities],
        predictions={k: [p[rows] for p in each] for k, each in one.predictions.items()},
    )


def _figures(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("macro_f1", "low", "high", "together", "ece")
    return {name: row[name] for name in names if row[name] is not None}


def _write(folder: Path, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS[name], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
