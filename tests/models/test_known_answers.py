"""Data whose best possible answer is known, and which fusions reach it.

Two modalities tell one bit together in the ways that the partial-information decomposition names
(Williams & Beer 2010, arXiv:1004.2515): synergy (neither alone says anything), redundancy (both
say the same) and unique information (each says its own part).
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.core import registry
from pipeline.models.examples import FeatureSpec
from pipeline.models.network import Network
from pipeline.models.options import ModelOptions

FUSIONS = sorted(set(registry.names("models/fusion")) - {"none"})
# Their logits are sums of a function of each set (of `gated`, up to a positive factor).
ADDITIVE = ("gated", "late", "sum", "weighted_sum")
# Their sets are asked one by one, and of XOR each knows nothing.
DECISIONS = ("average", "geometric", "learned_average", "stacking", "vote")
JOINT = sorted(set(FUSIONS) - {*ADDITIVE, *DECISIONS})
TRAIN, TEST, FEATURES = 512, 2048, 4


def seen(signal: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    """float32 (n, FEATURES): the signal (n,), in ±1, with noise; then numbers that mean nothing."""
    values = rng.normal(size=(len(signal), FEATURES))
    values[:, 0] = signal + noise * values[:, 0]
    return values.astype(np.float32)


def world(kind: str, n: int, seed: int) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """By set, float32 (n, FEATURES); and int64 (n,), the class."""
    rng = np.random.default_rng(seed)
    a, b = rng.choice([-1.0, 1.0], (2, n))
    if kind == "synergy":
        values, answer = [seen(a, 0.2, rng), seen(b, 0.2, rng)], a * b > 0
    elif kind == "redundancy":
        values, answer = [seen(a, 1.0, rng), seen(a, 1.0, rng)], a > 0
    elif kind == "unique":
        values, answer = [seen(a, 0.2, rng), seen(b, 0.2, rng)], (a > 0) + 2 * (b > 0)
    else:  # the second set is noise
        values, answer = [seen(a, 0.5, rng), seen(b, 1.0, rng)], a > 0
    return dict(zip("xy", map(torch.from_numpy, values), strict=True)), torch.from_numpy(answer * 1)


def asked(network: Network, values: dict[str, torch.Tensor]) -> tuple[Any, ...]:
    """What the network takes: values, lengths and the mask of presence."""
    n = len(next(iter(values.values())))
    lengths = {name: torch.ones(n, dtype=torch.int32) for name in values}
    present = torch.ones(n, len(network.names), dtype=torch.bool)
    return {name: values[name] for name in network.names}, lengths, present


@cache
def accuracy(kind: str, fusion: str, names: str = "xy", epochs: int = 12) -> float:
    """Share of right answers of a small network on examples that it has not seen."""
    torch.manual_seed(0)
    options = ModelOptions.model_validate(
        {
            "features": list(names),
            "fusion": fusion,
            "tower": {"hidden": 16, "width": 8, "dropout": 0.0},
            "tasks": {"bit": {}},
            "primary": "bit",
        }
    )
    sets = [FeatureSpec(name, name, (FEATURES,)) for name in names]
    network = Network(sets, {"bit": 4 if kind == "unique" else 2}, options)
    optimizer = torch.optim.AdamW(network.parameters(), 0.01, weight_decay=0.01)
    values, target = world(kind, TRAIN, seed=1)
    for _ in range(epochs):
        for rows in torch.randperm(TRAIN).split(32):
            optimizer.zero_grad()
            seen = {name: array[rows] for name, array in values.items()}
            lessons = network.training_outputs(*asked(network, seen))
            losses = [
                torch.nn.functional.cross_entropy(one["bit"], target[rows]) for one in lessons
            ]
            torch.stack(losses).mean().backward()
            optimizer.step()
    values, target = world(kind, TEST, seed=2)
    with torch.no_grad():
        message = network.eval()(*asked(network, values))["bit"].argmax(1)
        return float((message == target).double().mean())


def normal(x: float) -> float:
    """The normal distribution function."""
    return (1 + math.erf(x / math.sqrt(2))) / 2


@pytest.mark.parametrize("fusion", sorted(set(JOINT) - {"bottleneck"}))
def test_synergy_is_found_by_fusions_that_join(fusion):
    assert accuracy("synergy", fusion) > 0.97


@pytest.mark.slow
def test_synergy_is_found_through_a_bottleneck_in_time():
    """What is read is itself learned, from nothing: 24 epochs leave it at chance."""
    assert accuracy("synergy", "bottleneck", epochs=40) > 0.97


@pytest.mark.parametrize("fusion", ADDITIVE)
def test_synergy_is_beyond_fusions_that_add(fusion):
    """A sum of a function of each gets three of the four corners of XOR right at most: 0.75."""
    assert accuracy("synergy", fusion) < 0.8


@pytest.mark.parametrize("fusion", DECISIONS)
def test_synergy_is_beyond_fusions_of_decisions(fusion):
    assert accuracy("synergy", fusion) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("name", ["x", "y"])
def test_synergy_is_in_neither_alone(name):
    assert accuracy("synergy", "none", name) == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("fusion", ["average", "late", "stacking", "sum", "vote", "weighted_sum"])
def test_redundancy_is_used_by_adding(fusion):
    """Best of one set: Φ(1) = 0.841; of both, whose sum has √2 of the signal: Φ(√2) = 0.921."""
    result, joined = accuracy("redundancy", fusion), accuracy("redundancy", "product")
    assert result > normal(math.sqrt(2)) - 0.03
    assert result > max(accuracy("redundancy", "none", name) for name in "xy") + 0.03
    assert result > joined - 0.02


@pytest.mark.parametrize("fusion", FUSIONS)
def test_unique_parts_are_joined_by_all(fusion):
    """Of two bits, one in each set, either set alone can say one: 0.5; a vote breaks ties only."""
    assert accuracy("unique", fusion) > (0.7 if fusion == "vote" else 0.95)


@pytest.mark.parametrize("fusion", ["gated", "gmu", "attention"])
def test_a_set_that_is_noise_costs_little(fusion):
    """The other set alone allows Φ(2) = 0.977."""
    alone = accuracy("noise", "none", "x")
    assert alone == pytest.approx(normal(2), abs=0.02)
    assert accuracy("noise", fusion) > alone - 0.02
