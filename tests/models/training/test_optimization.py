from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.core.errors import PipelineError
from pipeline.models.examples import Examples
from pipeline.models.network import Network
from pipeline.models.options import ModelOptions
from pipeline.models.training.batches import Tensors, microbatches
from pipeline.models.training.losses import example_weights, loss
from pipeline.models.training.optimization import Optimization, averaged_model
from pipeline.models.training.parallel import SINGLE_PROCESS, World
from tests.models.synthetic import TASKS, joined, options, split_of

CPU = torch.device("cpu")
COUNTS = {"category": 8, "language": 3}
STILL = {"tower": {"hidden": 8, "width": 4, "dropout": 0.0}, "tasks": TASKS}


def parameter(value: float = 1.0) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.full((3,), value))


def holed() -> Examples:
    """Examples, of which half lack a language, many of them in a row."""
    training = split_of(joined(), "train")
    language = training.targets["language"].copy()
    language[: len(language) // 2] = -1
    return replace(training, targets={**training.targets, "language": language})


def gradient(chosen: ModelOptions, worlds: list[World]) -> tuple[torch.Tensor, torch.Tensor]:
    """Losses by task and gradient of the first batch, summed over pieces and processes."""
    examples = holed()
    torch.manual_seed(0)
    network = Network(examples.sets, COUNTS, chosen).double()
    source, total = Tensors(examples, CPU), torch.zeros(2, dtype=torch.float64)
    weights = example_weights(examples, COUNTS, chosen.tasks, CPU)
    for world in worlds:
        rng = np.random.default_rng(1)
        _, parts = next(microbatches(rng, examples, source, weights, chosen, world))
        for piece in parts:
            values = {name: one.double() for name, one in piece.inputs.values.items()}
            logits = network(values, piece.inputs.lengths, piece.inputs.present)
            each = loss(logits, piece.targets, piece.weights, chosen.tasks, 0.0)
            stacked = torch.stack(list(each.values())) * piece.portion
            stacked.sum().backward()
            total += stacked.detach()
    result = [p.grad.flatten() for p in network.parameters() if p.grad is not None]
    return total, torch.cat(result)


@pytest.mark.parametrize(("accumulate", "size"), [(3, 1), (32, 1), (1, 2), (1, 5), (4, 3), (1, 32)])
def test_pieces_and_shares_give_the_gradient_of_the_whole_batch(accumulate, size):
    whole = gradient(options(**STILL, batch_size=32), [SINGLE_PROCESS])
    cut = options(**STILL, batch_size=32, accumulate=accumulate)
    parted = gradient(cut, [World(rank, size) for rank in range(size)])
    for mine, theirs in zip(parted, whole, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-8)


def test_shares_are_all_rows_once():
    for rows in (1, 5, 32):
        parts = [part for rank in range(3) for part in World(rank, 3).share(rows, 4)]
        assert all(len(part) for part in parts)
        assert np.concatenate(parts).tolist() == list(range(rows))


def rates(steps: int, **changed) -> list[float]:
    own = parameter()
    optimization = Optimization([own], [], options(learning_rate=0.1, **changed), steps, CPU)
    result = []
    for _ in range(steps):
        result.append(optimization.optimizer.param_groups[0]["lr"])
        optimization.backward(own.sum())
        optimization.step(SINGLE_PROCESS)
    return result


def test_the_step_size_falls_as_a_cosine():
    wanted = [0.05 * (1 + np.cos(np.pi * i / 20)) for i in range(20)]
    np.testing.assert_allclose(rates(20), wanted, atol=1e-12)


def test_it_rises_in_a_line_before():
    result = rates(20, warmup=0.2)
    np.testing.assert_allclose(result[:5], [0.02, 0.04, 0.06, 0.08, 0.1])
    wanted = [0.05 * (1 + np.cos(np.pi * i / 16)) for i in range(16)]
    np.testing.assert_allclose(result[4:], wanted, atol=1e-12)


def test_a_step_that_the_scaler_leaves_out_leaves_the_step_size_too():
    own = parameter()
    chosen = options(learning_rate=0.1, precision="float16", device="cuda")
    optimization = Optimization([own], [], chosen, 20, CPU)
    rate = [0.05 * (1 + np.cos(np.pi * i / 20)) for i in range(3)]
    taken = 0
    for value in (float("inf"), 1.0, float("nan"), float("inf"), 1.0):
        before = own.detach().clone()
        assert optimization.optimizer.param_groups[0]["lr"] == pytest.approx(rate[taken])
        optimization.backward((own * value).sum())
        stepped = optimization.step(SINGLE_PROCESS)
        assert stepped == (value == 1.0) == (not torch.equal(own, before))
        taken += stepped
    assert taken == 2


def test_a_gpu_takes_all_steps_in_one_kernel_and_a_cpu_as_ever():
    """What is fused sums in another order: on a CPU the bytes of models would change."""
    fused = {
        device: Optimization(
            [parameter()], [], options(), 1, torch.device(device)
        ).optimizer.defaults["fused"]
        for device in ("cpu", "cuda")
    }
    assert fused == {"cpu": None, "cuda": True}


@pytest.mark.parametrize(("clip", "norm"), [(1e-8, 1e-8), (1e6, np.sqrt(3)), (None, np.sqrt(3))])
def test_long_gradients_are_cut(clip, norm):
    """The first mean of gradients that AdamW keeps is a tenth of the first gradient."""
    own = parameter()
    optimization = Optimization([own], [], options(clip=clip), 1, CPU)
    optimization.backward(own.sum())
    optimization.step(SINGLE_PROCESS)
    kept = optimization.optimizer.state[own]["exp_avg"].norm().item()
    assert kept == pytest.approx(0.1 * norm, rel=1e-4)


def test_the_mean_of_the_weights_follows_them():
    network = torch.nn.Linear(1, 1, bias=False)
    follower = averaged_model(network, 0.9)
    assert follower is not None
    mean, expected = follower.module, None
    for value in (1.0, 2.0, 5.0):
        torch.nn.init.constant_(network.weight, value)
        follower.update_parameters(network)
        expected = value if expected is None else 0.9 * expected + 0.1 * value
    assert mean.weight.item() == pytest.approx(expected)
    assert averaged_model(network, 0.0) is None


def test_bfloat16_computes_in_it_and_keeps_float32():
    layer = torch.nn.Linear(4, 2)
    before = copy.deepcopy(layer)
    optimization = Optimization(layer.parameters(), [], options(precision="bfloat16"), 1, CPU)
    with optimization.autocast():
        output = layer(torch.ones(1, 4))
    assert output.dtype == torch.bfloat16
    optimization.backward(output.float().sum())
    optimization.step(SINGLE_PROCESS)
    assert layer.weight.dtype == torch.float32
    assert not torch.equal(layer.weight, before.weight)


def test_float32_is_left_alone():
    with Optimization([parameter()], [], options(), 1, CPU).autocast():
        assert torch.nn.Linear(4, 2)(torch.ones(1, 4)).dtype == torch.float32


def test_workers_that_found_different_states_are_refused(monkeypatch):
    monkeypatch.setattr("torch.distributed.all_reduce", lambda tensor: tensor.add_(3))
    World(1, 2).check_agreed(3)
    with pytest.raises(PipelineError, match="different snapshots"):
        World(1, 2).check_agreed(4)
