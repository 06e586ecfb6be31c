"""A trained model on held-out splits → metrics, predictions and tables on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.folders import FEATURES, MODELS
from pipeline.encoders import encoder_of, prepared

if TYPE_CHECKING:
    import numpy as np

    from pipeline.core.options import Options
    from pipeline.models.evaluation.evaluate import Evaluation, Split
    from pipeline.models.evaluation.options import EvaluationOptions
    from pipeline.models.examples import Examples, FeatureSpec
    from pipeline.models.options import ModelOptions
    from pipeline.models.saving import TrainedModel

SPLITS = ("validation", "test")


def evaluate_model(
    folder: Path,
    name: str,
    chosen: ModelOptions,
    options: EvaluationOptions,
    seed: int,
    sets: Mapping[str, str],
    root: Path,
    words: Mapping[str, tuple[str, Options]],
) -> dict[str, float]:
    """Predict validation and test, measure, and write the tables into `folder`.

    Parameters
    ----------
    chosen:
        The model as params have it: networks that its towers begin as may have moved since it was
        trained.
    sets:
        Feature set → modality.
    words:
        The feature sets that describe words → their encoder and its options: by them names of
        classes are understood.
    root:
        The data directory, where the model is.

    Raises
    ------
    PipelineError
        `group_by` names what no sample has, or the model was trained on other features.

    Returns
    -------
    What the run record tells of inference: the `seconds` that it took for the `samples` of the
    test split, from their features and with nothing hidden.
    """
    from pipeline.core.files.documents import document
    from pipeline.models.evaluation.evaluate import Split, evaluate, unmeasured
    from pipeline.models.evaluation.results import write_evaluation
    from pipeline.models.examples import build_examples, classes_of
    from pipeline.models.feature_compatibility import check_features
    from pipeline.models.relocation import located_as
    from pipeline.models.saving import load_model
    from pipeline.models.task_options import TaskOptions
    from pipeline.models.training.determinism import deterministic
    from pipeline.parts.manifest import read_function
    from pipeline.stages.work.slices import slice_values
    from pipeline.store.join import join_work_tree
    from pipeline.store.model_card import CARD, Card

    card = document(root / MODELS / name / CARD, Card)
    if card.untrained:
        evaluation = unmeasured(join_work_tree(root, sets), card.tasks, SPLITS)
        write_evaluation(folder, card.primary_task, evaluation)
        return {}
    model = load_model(root / MODELS / name)
    model = replace(model, options=located_as(model.options, chosen))
    functions = {feature_set: read_function(root / FEATURES / feature_set) for feature_set in sets}
    check_features(name, model.made_by, functions)
    joined = join_work_tree(root, sets)
    tasks, classes = model.options.tasks, model.classes
    if model.options.alignment is not None:
        named = {target: TaskOptions() for target in options.zero_shot}
        tasks, classes = {**named, **tasks}, {**classes_of(joined, named), **classes}
    data = build_examples([joined], sets, classes, tasks)
    by_split = {split: data.take(joined.split == split) for split in ("train", *SPLITS)}
    groups = slice_values(joined, options.group_by, sets, root)
    splits = [
        Split(
            split,
            by_split[split],
            {name: values[joined.split == split] for name, values in groups.items()},
        )
        for split in SPLITS
    ]
    test = by_split["test"]
    with deterministic(seed, "evaluate"):
        evaluation = evaluate(name, model, splits, options, seed, by_split["train"])
        if model.classes and test.seen.any():  # else answers are the prior's, whatever is hidden
            _explain(evaluation, model, by_split["train"], test, options, seed)
        if model.options.alignment is not None:
            named_classes = {target: classes[target] for target in options.zero_shot}
            _align(evaluation, name, model, splits, by_split, named_classes, words, options, seed)
    write_evaluation(folder, model.options.primary, evaluation)
    if not model.classes or not test.seen.any():
        return {}
    return {"samples": len(test), "seconds": round(evaluation.seconds["test"], 6)}


def _explain(
    evaluation: Evaluation,
    model: TrainedModel,
    train: Examples,
    test: Examples,
    options: EvaluationOptions,
    seed: int,
) -> None:
    """Add how the score falls as inputs get worse, and what each modality gives to the answers."""
    from pipeline.core import registry
    from pipeline.models.evaluation.robustness import robustness
    from pipeline.models.explanation.contributions import contributions
    from pipeline.models.statistics import feature_moments

    towers = model.torch_network.by_name
    moments = {
        spec.name: feature_moments(train, spec.name)
        for spec in test.sets
        if not towers[spec.name].ids
    }
    deviations = {name: deviation for name, (_, deviation) in moments.items()}
    evaluation.robustness = robustness(model, test, deviations, options.draws, seed)
    evaluation.contributions = contributions(model, test, options, seed)
    if options.attributed:
        # Named rather than imported, so that no key knows an extra that is not used.
        module = registry.load("models/explanation", "gradients")
        means = {name: mean for name, (mean, _) in moments.items()}
        evaluation.contributions += module.attribution_rows(
            model, test, means, options.attributed, seed
        )


def _align(
    evaluation: Evaluation,
    name: str,
    model: TrainedModel,
    splits: Sequence[Split],
    by_split: Mapping[str, Examples],
    classes: Mapping[str, list[str]],
    words: Mapping[str, tuple[str, Options]],
    options: EvaluationOptions,
    seed: int,
) -> None:
    """Add what the space finds, what it tells by names of classes, and what it saves in labels."""
    from pipeline.models.evaluation.alignment import Named, add_retrieval, add_zero_shot
    from pipeline.models.evaluation.label_shares import label_share_figures

    for split in splits:
        add_retrieval(evaluation, name, model, split, options, seed)
    if words:
        named = {
            target: Named(names, _understood(names, model.sets, words))
            for target, names in classes.items()
        }
        for split in splits:
            add_zero_shot(evaluation, model, split, named, options, seed)
    for target, names in classes.items():
        figures = label_share_figures(model, by_split, target, names, options, seed)
        evaluation.metrics |= {share: {"test": each} for share, each in figures.items()}


def _understood(
    names: Sequence[str], sets: Sequence[FeatureSpec], words: Mapping[str, tuple[str, Options]]
) -> Examples:
    """Names of classes, whose _ are blanks, as examples that have words alone."""
    from pipeline.models.answer_table import unlabelled

    contents = [name.replace("_", " ") for name in names]
    features: dict[str, list[tuple[np.ndarray, int] | None]] = {
        spec.name: [None] * len(names) for spec in sets
    }
    for feature_set, (encoder, options) in words.items():
        kind = encoder_of(encoder)
        values, lengths = kind.Encoder(options).encode(prepared(kind, contents, options))
        features[feature_set] = [*zip(values, lengths.tolist(), strict=True)]
    return unlabelled(sets, features)
