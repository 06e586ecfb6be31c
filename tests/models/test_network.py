from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import registry
from pipeline.models.batches import epoch, hide
from pipeline.models.examples import FeatureSet
from pipeline.models.network import Network
from pipeline.models.options import TowerOptions
from pipeline.models.prediction import predict
from pipeline.models.towers import Tower
from tests.models.synthetic import SETS, WIDTHS, joined, options, split_of

FUSIONS = sorted(set(registry.names("models/fusion")) - {"none"})


def network(fusion: str) -> Network:
    torch.manual_seed(0)
    sets = [FeatureSet(name, modality, (WIDTHS[name],)) for name, modality in SETS.items()]
    return Network(sets, {"category": 8, "language": 3}, options(fusion=fusion)).eval()


@pytest.mark.parametrize("fusion", FUSIONS)
def test_what_stands_in_an_absent_set_is_not_looked_at(fusion):
    model = network(fusion)
    present = torch.arange(8)[:, None] >> torch.arange(3) & 1 == 1
    random = torch.Generator().manual_seed(0)
    values = {name: torch.randn(8, width, generator=random) for name, width in WIDTHS.items()}
    lengths = {name: torch.ones(8, dtype=torch.int32) for name in SETS}
    broken = {
        name: array.where(present[:, i : i + 1], float("nan"))
        for i, (name, array) in enumerate(values.items())
    }
    with torch.no_grad():
        before = model(values, lengths, present)
        after = model(broken, lengths, present)
    for task, logits in before.items():
        assert logits.isfinite().all()
        assert torch.equal(logits, after[task])


def test_an_example_that_cannot_be_seen_is_answered_by_the_prior():
    world = joined()
    world.present["pixels"][:] = False
    test = split_of(world, "test")
    priors = {"category": np.full(8, 1 / 8, np.float32), "language": np.eye(3, dtype=np.float32)[1]}
    found = predict(network("gated"), test, priors, modalities=["image"])
    assert (found["language"] == [0, 1, 0]).all()
    assert (found["category"] == np.float32(1 / 8)).all()


@pytest.mark.parametrize("kind", ["convolution", "gru"])
def test_padding_of_a_sequence_does_not_count(kind):
    torch.manual_seed(0)
    tower = Tower((11, 4), TowerOptions(hidden=8, width=6, sequence=kind)).eval()
    tower.standardise(torch.full((4,), 0.5), torch.full((4,), 2.0))
    lengths = torch.tensor([11, 5, 1, 0])
    frames = torch.randn(4, 11, 4)
    other = frames.clone()
    other[torch.arange(11) >= lengths[:, None]] = 77.0
    with torch.no_grad():
        tokens = tower(frames, lengths)
        assert tokens.shape == (4, 6)
        assert tokens.isfinite().all()
        torch.testing.assert_close(tower(other, lengths), tokens)
        other[0, 10] += 5
        assert not torch.allclose(tower(other, lengths)[0], tokens[0])


@settings(max_examples=20)
@given(seed=st.integers(0, 999), chance=st.sampled_from([0.0, 0.5, 0.99]))
def test_hiding_leaves_something_and_adds_nothing(seed, chance):
    some = split_of(joined(subjects=20), "train")
    shown = hide(np.random.default_rng(seed), some, chance)
    assert not (shown & ~some.present).any()
    assert (shown.any(1) == some.present.any(1)).all()
    if chance == 0:
        assert (shown == some.present).all()


def test_hiding_is_by_modality():
    world = joined(subjects=40, absent=0.0)
    some = split_of(world, "train", {"pixels": "image", "words": "image", "spectrum": "audio"})
    shown = hide(np.random.default_rng(0), some, 0.5)
    assert (shown[:, 0] == shown[:, 1]).all()
    assert 0.3 < shown[:, 0].mean() < 1


def test_an_epoch_shows_every_example_once():
    some = split_of(joined(), "train")
    batches = list(epoch(np.random.default_rng(0), some, 32, 0.1))
    rows = np.concatenate([rows for rows, _, _ in batches])
    assert sorted(rows) == list(range(len(some)))
    assert all((views["image"] == 0).all() for _, views, _ in batches)
