"""Training whose numbers are no longer finite stops, and keeps nothing of what went wrong."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.core.errors import PipelineError
from pipeline.models.training.losses import loss
from pipeline.models.training.optimization import Optimization
from pipeline.models.training.validation import Validation
from tests.models import world
from tests.models.training.test_loop import fit

ONE_STEP_AN_EPOCH = {"epochs": 6, "patience": 6, "batch_size": 4096}


def test_divergence_is_said_with_what_diverged_and_what_may_help(monkeypatch):
    monkeypatch.setattr(
        "pipeline.models.training.trainer.loss",
        lambda *given: {task: 0 * value / 0 for task, value in loss(*given).items()},
    )
    message = (
        "training diverged in its first epoch, train/category/loss is nan: "
        "lower the model's learning_rate or give it a warmup, or set clip"
    )
    with pytest.raises(PipelineError, match=f"{message}$"):
        fit(["words"], fusion="none", epochs=1)
    with pytest.raises(PipelineError, match=f"{message}, or precision: float32$"):
        fit(["words"], fusion="none", epochs=1, precision="bfloat16")


def diverge_in(epoch: int, monkeypatch: pytest.MonkeyPatch, batches: int) -> None:
    """The loss is no number from an epoch on."""
    calls = []

    def call(*given):
        calls.append(1)
        factor = float("nan") if len(calls) > epoch * batches else 1.0
        return {task: factor * value for task, value in loss(*given).items()}

    monkeypatch.setattr("pipeline.models.training.trainer.loss", call)


def test_training_that_diverges_later_keeps_the_best_before(monkeypatch):
    changed = {"fusion": "none", "epochs": 3, "batch_size": 4096}
    good = fit(["words"], **changed)
    diverge_in(3, monkeypatch, 1)
    bad = fit(["words"], **{**changed, "epochs": 6, "patience": 6})
    assert good.diverged is None
    assert bad.diverged == 3 == len(bad.curves)
    assert all(np.isfinite(list(figures.values())).all() for figures in bad.curves)
    assert all(tensor.isfinite().all() for tensor in bad.network.state_dict().values())
    assert bad.best_epoch <= 2


def test_a_validation_that_is_no_number_is_divergence_too(monkeypatch):
    judge, calls = Validation.__call__, []

    def call(self, network):
        calls.append(1)
        return judge(self, network) | ({"validation/score": np.nan} if len(calls) > 2 else {})

    monkeypatch.setattr(Validation, "__call__", call)
    assert fit(["words"], fusion="none", epochs=5).diverged == 2


def break_weights(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a step on, counted from 1, the weights are no numbers."""
    whole, calls = Optimization.step, []

    def call(self, *given):
        whole(self, *given)
        calls.append(1)
        if len(calls) >= step:
            with torch.no_grad():
                for parameter in self.parameters:
                    parameter.fill_(torch.nan)

    monkeypatch.setattr(Optimization, "step", call)


@pytest.mark.parametrize("monitor", ["macro_f1", "loss"])
@pytest.mark.parametrize("kind", world.TASKS)
def test_weights_that_an_epochs_last_step_spoilt_are_not_kept(kind, monitor, monkeypatch):
    """The epoch's own loss was finite; and of logits that are NaN, argmax makes class 0."""
    some = world.world(subjects=30)
    chosen = world.chosen({kind: world.TASKS[kind]}, monitor=monitor, **ONE_STEP_AN_EPOCH)
    break_weights(3, monkeypatch)
    trained, _, _ = world.fit(some, chosen)
    assert trained.diverged == 2 == len(trained.curves)
    assert all(np.isfinite(list(figures.values())).all() for figures in trained.curves)
    assert all(tensor.isfinite().all() for tensor in trained.network.state_dict().values())


def test_weights_spoilt_by_the_only_epoch_are_no_model(monkeypatch):
    break_weights(1, monkeypatch)
    with pytest.raises(PipelineError, match="first epoch, validation/category/loss is nan"):
        fit(["words"], fusion="none", **{**ONE_STEP_AN_EPOCH, "epochs": 1})
