"""Whole units cut out of hidden layers, so that what remains is smaller and no sparser.

A unit stands between two linear layers, as in the head of most towers and in a transformer's layer:
its weight is the norm of what it is computed from times the norm of what it gives on, and the
lightest go (structured magnitude pruning: Li et al. 2017, arXiv:1608.08710, whose filters are units
here, with both sides of a unit counted).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import nn

from pipeline.core.errors import PipelineError

# What acts on each unit by itself may stand between the two layers.
BY_UNIT = (nn.GELU, nn.ReLU, nn.Tanh, nn.Sigmoid, nn.Dropout)


def prune(network: nn.Module, share: float) -> int:
    """Cut that share of the units out of every hidden layer, in place; how many that were.

    At least one unit of a layer stays. What remains is as it was: training mends what the cut tore.

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
    return sum(_cut(before, after, share) for before, after in pairs)


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


def _cut(before: nn.Linear, after: nn.Linear, share: float) -> int:
    units = before.out_features
    kept = max(units - int(units * share), 1)
    with torch.no_grad():
        weight = before.weight.norm(dim=1) * after.weight.norm(dim=0)
        heaviest = weight.argsort(descending=True, stable=True)[:kept].sort()[0]
        before.weight = nn.Parameter(before.weight[heaviest].clone())
        if before.bias is not None:
            before.bias = nn.Parameter(before.bias[heaviest].clone())
        after.weight = nn.Parameter(after.weight[:, heaviest].clone())
    before.out_features = after.in_features = kept
    return units - kept
