"""Trainings on all batches but one, and on all that had landed by then, since features stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.core.batches import in_order
from pipeline.core.errors import PipelineError, unknown
from pipeline.core.folders import DATA
from pipeline.models.tasks import ranked_by
from pipeline.monitoring.blame import (
    Batch,
    BatchBlame,
    Landing,
    as_of_curve,
    figure_of,
    known_figures,
    leave_one_out,
)
from pipeline.params import Params

if TYPE_CHECKING:
    from pipeline.models.evaluation.answers import Answers
    from pipeline.models.examples import Examples
    from pipeline.models.options import ModelOptions

RESAMPLES = 2000


@dataclass(frozen=True)
class Blame:
    """What is to blame for a figure of a model's primary task on a split, and how it came about."""

    figure: str
    value: float
    batches: list[BatchBlame]
    curve: list[Landing]


def blame(
    params: Params,
    model: str,
    figure: str = "",
    split: str = "test",
    curve: bool = True,
    root: Path = Path(DATA),
    progress: Callable[[int, int], None] = lambda done, planned: None,
) -> Blame:
    """Train the model without each batch in turn, and as of each, and compare the figure.

    Components and splits are those of data/curated; nothing is cleaned, encoded or written.

    Parameters
    ----------
    figure:
        Of the primary task; empty: by which models are ranked.
    progress:
        Called before each training with how many are done, and how many there are.

    Raises
    ------
    PipelineError
        There is no such model, split or figure, or there is but one batch.
    """
    if model not in params.models:
        raise PipelineError(unknown("model", model, params.models))
    if split not in ("validation", "test"):
        raise PipelineError(unknown("split", split, ("validation", "test")))
    options = params.models[model].as_kinds(params.targets)
    task = options.tasks[options.primary].task
    figure = figure or ranked_by(task)
    if figure not in known_figures(task):
        raise PipelineError(unknown("figure", figure, known_figures(task)))
    trainings = _trainings(params, options, split, root)
    batches = trainings.batches
    if len(batches) < 2:
        raise PipelineError("there is but one batch, so that there is none to compare it with")
    planned = 2 * len(batches) if curve else len(batches) + 1
    done = iter(range(planned))

    def train_on(chosen: np.ndarray) -> Answers | None:
        progress(next(done), planned)
        return trainings.answers(chosen)

    full = train_on(np.ones(len(batches), bool))
    if full is None:
        raise PipelineError(f"the model {model} can learn nothing from all batches together")
    value = figure_of(full.take(trainings.judged), figure)
    place = np.arange(len(batches))
    without = {batch: train_on(place != i) for i, batch in enumerate(batches)}
    as_of = {batch: train_on(place <= i) for i, batch in enumerate(batches[:-1])} if curve else {}
    blamed = leave_one_out(
        full,
        without,
        trainings.batch_of,
        trainings.judged,
        trainings.learnt_from,
        figure,
        RESAMPLES,
        params.seed,
    )
    landings = (
        as_of_curve({**as_of, batches[-1]: full}, trainings.batch_of, trainings.judged, figure)
        if curve
        else []
    )
    return Blame(figure, value, blamed, landings)


@dataclass(frozen=True)
class _Trainings:
    """Samples and features of all batches, of which each training takes some.

    Attributes
    ----------
    batches:
        In the order in which they landed.
    landing:
        int (n,): the place of each sample's batch among them.
    """

    data: Examples
    options: ModelOptions
    classes: dict[str, list[str]]
    batches: list[Batch]
    landing: np.ndarray
    split_of: np.ndarray
    split: str
    seed: int

    @property
    def _labelled(self) -> np.ndarray:
        from pipeline.models.targets import has_target

        return has_target(self.data.targets[self.options.primary])

    @property
    def judged(self) -> np.ndarray:
        """bool (n,): which of the answers the figure is measured on."""
        return np.asarray(self.split_of[self._labelled] == self.split)

    @property
    def batch_of(self) -> list[Batch]:
        """The batch of each answer."""
        return [self.batches[place] for place in self.landing[self._labelled].tolist()]

    @property
    def learnt_from(self) -> dict[Batch, int]:
        counts = np.bincount(
            self.landing[self.split_of == "train"], minlength=len(self.batches)
        ).tolist()
        return dict(zip(self.batches, counts, strict=True))

    def answers(self, chosen: np.ndarray) -> Answers | None:
        """To all samples of known truth, having learnt from the chosen batches; None if it can't.

        chosen: bool (batches,).
        """
        from pipeline.core.machine.device import torch_device
        from pipeline.models.evaluation.answers import known_answers
        from pipeline.models.prediction import predict
        from pipeline.models.targets import Unlearnable
        from pipeline.models.training.determinism import deterministic
        from pipeline.models.training.loop import train

        among, task = chosen[self.landing], self.options.primary
        training = self.data.take(among & (self.split_of == "train"))
        validation = self.data.take(among & (self.split_of == "validation"), views=1)
        device = torch_device(self.options.device)
        try:
            trained = train(training, validation, self.classes, self.options, self.seed, device)
        except Unlearnable:
            return None
        everything = self.data.take(np.arange(len(self.data)), views=1)
        with deterministic(self.seed, "evaluate"):
            network = trained.network.to("cpu")
            answer = predict(network, everything, trained.priors)[task]
        return known_answers(everything, task, answer, network.decodings[task])


def _trainings(params: Params, options: ModelOptions, split: str, root: Path) -> _Trainings:
    from pipeline.models.examples import build_examples, classes_of
    from pipeline.store.join import join_work_tree

    sets = {used: params.features[used].modality for used in options.features}
    views = [join_work_tree(root, sets, view) for view in range(options.views + 1)]
    joined = views[0]
    pairs = [*zip(joined.source.tolist(), joined.batch.tolist(), strict=True)]
    batches = sorted({*pairs}, key=_landed)
    place = {batch: i for i, batch in enumerate(batches)}
    classes = classes_of(joined, options.tasks)
    return _Trainings(
        data=build_examples(views, sets, classes, options.tasks),
        options=options,
        classes=classes,
        batches=batches,
        landing=np.array([place[pair] for pair in pairs], np.int64),
        split_of=joined.split,
        split=split,
        seed=params.seed,
    )


def _landed(batch: Batch) -> tuple[object, str]:
    """Batches land in the order of their names, and of sources where these agree."""
    source, name = batch
    return in_order(name), source
