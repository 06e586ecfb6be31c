"""Whole units cut out of hidden layers, so that what remains is smaller and no sparser.

A unit stands between two linear layers, as in the head of most towers and in a transformer's layer.
What it gives on varies from example to example by the deviation of its activation times the norm of
its outgoing weights: units of the least such magnitude go (structured magnitude pruning: Li et al.
2017, arXiv:1608.08710, whose filters are units here). What they gave on the average stays, in the
bias of the layer behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import torch
from torch import Tensor, nn

from pipeline.core.errors import PipelineError

# What acts on each unit by itself may stand between the two layers.
BY_UNIT = (nn.GELU, nn.ReLU, nn.Tanh, nn.Sigmoid, nn.Dropout)
# Rows that pass through a layer in a transformer count one by one, and are summed in float64.
Moments = tuple[Tensor, Tensor]


def prune(network: nn.Module, share: float, run: Callable[[], object]) -> int:
    """Cut that share of the units out of every hidden layer, in place; how many that were.

    At least one unit of a layer stays. Training mends what the cut tore.

    Parameters
    ----------
    run:
        Passes examples through the network, by which the units are weighed.

    Raises
    ------
    PipelineError
        The network has no hidden layer.
    """
    pairs = list(_hidden_layers(network))
    if not pairs:
        raise PipelineError(
            "`prune` cuts units between two linear layers, and this model has none: leave it out "
            "of ways"
        )
    training = network.training
    network.eval()
    with torch.no_grad(), _attention_in_steps():
        watches = [_Watch(after) for _, after in pairs]
        run()
        moments = [watch.moments() for watch in watches]
        cut = sum(
            _cut(before, after, share, each)
            for (before, after), each in zip(pairs, moments, strict=True)
        )
    network.train(training)
    return cut


class _Watch:
    """Mean and deviation of what comes into a layer, unit by unit, while it stands."""

    def __init__(self, layer: nn.Linear) -> None:
        self._sums = torch.zeros(3, layer.in_features, dtype=torch.float64)
        self._handle = layer.register_forward_pre_hook(self._add)

    def _add(self, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        rows = inputs[0].flatten(0, -2).double()
        self._sums += torch.stack([torch.ones_like(rows), rows, rows**2]).sum(1)

    def moments(self) -> Moments:
        self._handle.remove()
        count, total, squares = self._sums
        mean = total / count.clamp(min=1)
        return mean, (squares / count.clamp(min=1) - mean**2).clamp(min=0).sqrt()


@contextmanager
def _attention_in_steps() -> Iterator[None]:
    """Inside, a transformer's layer calls its linear layers, which its fused form does not."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def _hidden_layers(network: nn.Module) -> Iterator[tuple[nn.Linear, nn.Linear]]:
    """The layers before and after each hidden layer, in the order of the network's modules."""
    for module in network.modules():
        if isinstance(module, nn.TransformerEncoderLayer):
            yield module.linear1, module.linear2
        elif isinstance(module, nn.Sequential):
            layers = [each for each in module if not isinstance(each, BY_UNIT)]
            for before, after in pairwise(layers):
                if isinstance(before, nn.Linear) and isinstance(after, nn.Linear):
                    yield before, after


def _cut(before: nn.Linear, after: nn.Linear, share: float, moments: Moments) -> int:
    mean, deviation = (each.to(after.weight.dtype) for each in moments)
    kept = max(before.out_features - int(before.out_features * share), 1)
    order = (deviation * after.weight.norm(dim=0)).argsort(descending=True, stable=True)
    stay, go = order[:kept].sort()[0], order[kept:]
    if after.bias is not None:
        after.bias.add_(after.weight[:, go] @ mean[go])
    before.weight = nn.Parameter(before.weight[stay].clone())
    if before.bias is not None:
        before.bias = nn.Parameter(before.bias[stay].clone())
    after.weight = nn.Parameter(after.weight[:, stay].clone())
    before.out_features = after.in_features = kept
    return len(go)
