from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.models.task_options import TaskOptions
from pipeline.models.training.losses import balanced_weights, loss

TARGETS = np.array([0, 0, 0, 1, -1])
COMPONENT = np.array(["a", "a", "b", "c", "c"])


def test_classes_weigh_the_same():
    result = balanced_weights(TARGETS, COMPONENT, 3, TaskOptions())
    assert result == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2, 0])


def test_as_is_every_example_weighs_the_same():
    result = balanced_weights(TARGETS, COMPONENT, 3, TaskOptions(classes="as_is"))
    assert result == pytest.approx([1, 1, 1, 1, 0])


def test_samples_of_a_component_share_its_weight():
    as_is = balanced_weights(
        TARGETS, COMPONENT, 3, TaskOptions(classes="as_is", examples="component")
    )
    assert as_is == pytest.approx(np.array([0.5, 0.5, 1, 1, 0]) * 4 / 3)
    balanced = balanced_weights(TARGETS, COMPONENT, 3, TaskOptions(examples="component"))
    assert balanced == pytest.approx([0.5, 0.5, 1, 2, 0])


def test_no_targets_no_weight():
    assert balanced_weights(
        np.array([-1, -1]), np.array(["a", "b"]), 2, TaskOptions()
    ).tolist() == [0, 0]


def test_the_loss_is_weighted_and_passes_over_nulls():
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [5.0, 5.0]], requires_grad=True)
    targets, given = torch.tensor([0, 0, -1]), torch.tensor([1.0, 3.0, 0.0])
    result = loss({"t": logits}, {"t": targets}, {"t": given}, {"t": TaskOptions(weight=0.5)}, 0.0)
    each = -logits.log_softmax(1)[:2, 0]
    torch.testing.assert_close(result["t"], 0.5 * (each[0] + 3 * each[1]) / 2)
    result["t"].backward()
    assert logits.grad is not None
    assert not logits.grad[2].any()


def test_a_batch_without_targets_has_no_loss():
    result = loss(
        {"t": torch.ones(2, 3)},
        {"t": torch.tensor([-1, -1])},
        {"t": torch.zeros(2)},
        {"t": TaskOptions()},
        0.1,
    )
    assert result["t"].item() == 0
