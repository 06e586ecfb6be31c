"""A trained model → a smaller one on disk, its figures, and the certificate that it is no worse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import PipelineError
from pipeline.core.files.csv_table import write_table
from pipeline.core.folders import FEATURES, MODELS

if TYPE_CHECKING:
    import numpy as np

    from pipeline.models.compression.certificate import TaskDifference
    from pipeline.models.compression.compress import CompressedModel
    from pipeline.models.compression.options import CompressionOptions
    from pipeline.models.evaluation.evaluate import Split
    from pipeline.models.evaluation.options import EvaluationOptions
    from pipeline.models.examples import Examples
    from pipeline.models.options import ModelOptions
    from pipeline.models.saving import TrainedModel
    from pipeline.store.join import Joined

CERTIFICATE, CHANGED = "certificate.json", "changed.csv"
SPLITS = ("validation", "test")
COLUMNS = ("task", "sample_id", "truth", "before", "before_sure", "after", "after_sure")


@dataclass(frozen=True)
class Compression:
    """One model to be compressed, measured and certified, into `folder`.

    Parameters
    ----------
    name:
        What the result is called.
    model:
        As params have it: networks that its towers begin as may have moved since it was trained.
    sets:
        Feature set → modality: those of the student, in its order, then the model's others.
    root:
        The data directory, where the model is.
    inputs:
        Digests of what is read, for the result's description.
    """

    folder: Path
    name: str
    model: ModelOptions
    options: CompressionOptions
    evaluation: EvaluationOptions
    seed: int
    sets: Mapping[str, str]
    root: Path
    inputs: Mapping[str, str]

    def run(self) -> dict[str, Any]:
        """Compress, and write all but the page.

        Returns
        -------
        What the run record tells: by `model` and `compressed`, what each costs on this machine.

        Raises
        ------
        PipelineError
            The model is untrained, or was trained on other features than those that are here.
        """
        from pipeline.models.compression.compress import compress
        from pipeline.models.evaluation.evaluate import evaluate
        from pipeline.models.evaluation.results import write_evaluation
        from pipeline.models.training.determinism import deterministic

        model = self._model()
        joined, data = self._examples(model)
        training = data.take(joined.split == "train")
        held_out = {name: data.take(joined.split == name, views=1) for name in SPLITS}
        with deterministic(self.seed, "compress"):
            compressed = compress(model, training, held_out["validation"], self.options, self.seed)
            splits = self._splits(joined, held_out, compressed)
            figures = evaluate(self.name, compressed.model, splits, self.evaluation, self.seed)
            test = held_out["test"]
            costs = self._certify(model, compressed, test)
        write_evaluation(self.folder, model.options.primary, figures)
        return costs

    def _model(self) -> TrainedModel:
        from pipeline.core.files.documents import document
        from pipeline.models.feature_compatibility import check_features
        from pipeline.models.relocation import located_as
        from pipeline.models.saving import load_model
        from pipeline.parts.manifest import read_function
        from pipeline.store.model_card import CARD, Card

        folder = self.root / MODELS / self.options.model
        if untrained := document(folder / CARD, Card).untrained:
            raise PipelineError(
                f"compress.{self.name}.model: '{self.options.model}' is untrained, and there is "
                f"nothing to compress: {untrained}"
            )
        model = load_model(folder)
        functions = {name: read_function(self.root / FEATURES / name) for name in self.sets}
        check_features(self.options.model, model.made_by, functions)
        return replace(model, options=located_as(model.options, self.model))

    def _examples(self, model: TrainedModel) -> tuple[Joined, Examples]:
        from pipeline.models.examples import build_examples
        from pipeline.store.join import join_work_tree

        count = self.options.student_of(model.options).views
        views = [join_work_tree(self.root, self.sets, view) for view in range(count + 1)]
        return views[0], build_examples(views, self.sets, model.classes, model.options.tasks)

    def _splits(
        self, joined: Joined, held_out: Mapping[str, Examples], compressed: CompressedModel
    ) -> list[Split]:
        from pipeline.models.evaluation.evaluate import Split
        from pipeline.stages.work.slices import slice_values

        groups = slice_values(joined, self.evaluation.group_by, self.sets, self.root)
        return [
            Split(
                name,
                examples.of_sets(compressed.model.sets),
                {group: values[joined.split == name] for group, values in groups.items()},
            )
            for name, examples in held_out.items()
        ]

    def _certify(
        self, model: TrainedModel, compressed: CompressedModel, test: Examples
    ) -> dict[str, Any]:
        """Write the certificate, the changed answers and the model; what both cost here."""
        from pipeline.models.compression.certificate import changed_answers, task_difference
        from pipeline.models.compression.measure import memory, speed
        from pipeline.models.prediction import predict
        from pipeline.models.saving import save_graph

        small = compressed.model
        seen = {"model": test.of_sets(model.sets), "compressed": test.of_sets(small.sets)}
        answers = (
            predict(model.network, seen["model"], model.priors),
            predict(small.network, seen["compressed"], small.priors),
        )
        networks = (model.network, small.network)
        differences: list[TaskDifference] = []
        changed: list[dict[str, Any]] = []
        for task, classes in model.classes.items():
            pair: tuple[np.ndarray, np.ndarray] = (answers[0][task], answers[1][task])
            differences.append(
                task_difference(test, task, pair, networks, self.evaluation, self.seed)
            )
            changed += changed_answers(test, task, classes, pair, networks)
        write_table(self.folder / CHANGED, COLUMNS, changed)
        reason = _refusal(model.options.primary, differences, self.options)
        save_graph(self.folder, compressed.graph, small, self._about(compressed, reason))
        (self.folder / CERTIFICATE).write_text(
            json.dumps(self._certificate(model, compressed, differences, reason, changed), indent=1)
            + "\n",
            encoding="utf-8",
        )
        folders = {"model": self.root / MODELS / self.options.model, "compressed": self.folder}
        return {
            name: {**speed(each, seen[name]), **memory(folders[name])}
            for name, each in (("model", model), ("compressed", small))
        }

    def _about(self, compressed: CompressedModel, reason: str) -> dict[str, Any]:
        """What model.json says beside what every graph's says."""
        return {
            "name": self.name,
            "compressed": self.options.model_dump(mode="json"),
            "parameters": compressed.parameters,
            "seed": self.seed,
            "inputs": dict(self.inputs),
            **({"refused": reason} if reason else {}),
        }

    def _certificate(
        self,
        model: TrainedModel,
        compressed: CompressedModel,
        differences: list[TaskDifference],
        reason: str,
        changed: list[dict[str, Any]],
    ) -> dict[str, Any]:
        weights = self.root / MODELS / self.options.model / "model.safetensors"
        return {
            "holds": not reason,
            "reason": reason,
            "model": self.options.model,
            "ways": list(self.options.ways),
            "margin": self.options.margin,
            "confidence": self.evaluation.confidence,
            "resamples": self.evaluation.resamples,
            "primary": model.options.primary,
            "tasks": [asdict(each) for each in differences],
            "changed": {
                task: sum(row["task"] == task for row in changed) for task in model.classes
            },
            "sizes": {
                "model": {
                    "bytes": weights.stat().st_size,
                    "parameters": model.torch_network.size(),
                },
                "compressed": {
                    "bytes": len(compressed.graph),
                    "parameters": compressed.parameters,
                },
            },
        }


def _refusal(primary: str, differences: list[TaskDifference], options: CompressionOptions) -> str:
    """Why the result is not offered as a model; empty where it is."""
    (judged,) = (each for each in differences if each.task == primary)
    if judged.holds(options.margin):
        return ""
    if judged.low is None:
        return (
            f"the test split has {judged.components} component(s) with '{primary}', too few to say "
            f"for certain that it is no worse than '{options.model}'"
        )
    return (
        f"it may be worse than '{options.model}' by more than the margin of {options.margin:g} "
        f"point(s): its {judged.figure} of '{primary}' differs by {100 * judged.difference:+.1f}, "
        f"and for certain by no less than {100 * judged.low:+.1f}. Take gentler options, or a "
        "wider margin"
    )
