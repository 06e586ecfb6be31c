"""A trained model on held-out splits → metrics, predictions and tables on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.folders import FEATURES, MODELS

if TYPE_CHECKING:
    from pipeline.models.evaluation.options import EvaluationOptions

SPLITS = ("validation", "test")


def make(
    folder: Path,
    name: str,
    options: EvaluationOptions,
    seed: int,
    sets: Mapping[str, str],
    root: Path,
) -> dict[str, float]:
    """Predict validation and test, measure, and write the tables into `folder`.

    Parameters
    ----------
    sets:
        Feature set → modality.
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
    from pipeline.core import registry
    from pipeline.core.files.documents import document
    from pipeline.models.evaluation.evaluate import Split, evaluate, unmeasured
    from pipeline.models.evaluation.results import write
    from pipeline.models.evaluation.robustness import robustness
    from pipeline.models.examples import examples
    from pipeline.models.explanation.contributions import contributions
    from pipeline.models.feature_compatibility import check_features
    from pipeline.models.saving import load as load_model
    from pipeline.models.statistics import statistics
    from pipeline.models.training.determinism import deterministic
    from pipeline.parts.manifest import read_function
    from pipeline.stages.work.slices import slices
    from pipeline.store.join import join
    from pipeline.store.model_card import CARD, Card

    card = document(root / MODELS / name / CARD, Card)
    if card.untrained:
        write(folder, card.primary_task, unmeasured(join(root, sets), card.tasks, SPLITS))
        return {}
    model = load_model(root / MODELS / name)
    functions = {one: read_function(root / FEATURES / one) for one in sets}
    check_features(name, model.made_by, functions)
    joined = join(root, sets)
    whole = examples([joined], sets, model.classes, model.options.tasks)
    groups = slices(joined, options.group_by, sets, root)
    splits = [
        Split(split, whole.take(rows), {a: values[rows] for a, values in groups.items()})
        for split in SPLITS
        for rows in [joined.split == split]
    ]
    with deterministic(seed, "evaluate"):
        results = evaluate(name, model, splits, options, seed)
        train, test = (whole.take(joined.split == split) for split in ("train", "test"))
        towers = model.network.by_name
        measured = {
            one.name: statistics(train, one.name) for one in whole.sets if not towers[one.name].ids
        }
        deviations = {name: deviation for name, (_, deviation) in measured.items()}
        if not test.seen.any():  # the answers are the prior's, whatever happens to the modalities
            write(folder, model.options.primary, results)
            return {}
        results.robustness = robustness(model, test, deviations, options.draws, seed)
        results.contributions = contributions(model, test, options, seed)
        if options.attributed:
            # Named rather than imported, so that no key knows an extra that is not used.
            module = registry.load("models/explanation", "gradients")
            means = {name: mean for name, (mean, _) in measured.items()}
            results.contributions += module.attributed(model, test, means, options.attributed, seed)
    write(folder, model.options.primary, results)
    return {"samples": len(test), "seconds": round(results.seconds["test"], 6)}
