from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core import registry
from pipeline.core.errors import PipelineError
from pipeline.models.examples import FeatureSpec
from pipeline.models.fusion import fusion_of
from pipeline.models.network import Network
from pipeline.models.prediction import predict
from pipeline.models.training.batches import drop_modalities, epoch
from tests.models.synthetic import SETS, WIDTHS, joined, options, split_of

FUSIONS = sorted(set(registry.names("models/fusion")) - {"none"})
# Those with tokens to stand in for others: not `early`, nor those that join decisions.
LEARN_TOKENS = [name for name in FUSIONS if fusion_of(name).LEVEL in ("tokens", "sequences")]


def network(fusion: str, **changed) -> Network:
    torch.manual_seed(0)
    sets = [FeatureSpec(name, modality, (WIDTHS[name],)) for name, modality in SETS.items()]
    chosen = options(fusion=fusion, **changed)
    return Network(sets, {"category": 8, "language": 3}, chosen).eval()


@pytest.mark.parametrize(
    ("fusion", "absent"),
    [*((one, "masked") for one in FUSIONS), *((one, "learned") for one in LEARN_TOKENS)],
)
def test_what_stands_in_an_absent_set_is_not_looked_at(fusion, absent):
    model = network(fusion, absent=absent)
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


@pytest.mark.parametrize("fusion", [one for one in FUSIONS if one not in LEARN_TOKENS])
def test_a_fusion_without_tokens_refuses_learned_ones(fusion):
    with pytest.raises(ValueError, match=f"'{fusion}'.*`absent: learned`"):
        options(fusion=fusion, absent="learned")


@pytest.mark.parametrize("fusion", LEARN_TOKENS)
def test_a_learned_token_is_present_to_the_fusion_and_trained_where_it_stands(fusion):
    model = network(fusion, absent="learned")
    values = {name: torch.ones(4, width) for name, width in WIDTHS.items()}
    lengths = {name: torch.ones(4, dtype=torch.int32) for name in SETS}
    present = torch.tensor([[True, True, False]]).expand(4, 3)
    before = model(values, lengths, present)["category"]
    (before * torch.randn(before.shape)).sum().backward()
    assert model.absent.grad.any(1).tolist() == [False, False, True]
    with torch.no_grad():
        model.absent[2] += torch.linspace(-1, 2, 8)
        assert not torch.allclose(model(values, lengths, present)["category"], before)
    assert "absent" in model.state_dict()


def test_sets_of_frames_enter_early_fusion_by_their_mean():
    sets = [FeatureSpec("a", "audio", (7, 3)), FeatureSpec("b", "image", (4,))]
    torch.manual_seed(0)
    chosen = options(features=["a", "b"], fusion="early")
    model = Network(sets, {"category": 8}, chosen).eval()
    frames = torch.randn(2, 7, 3)
    means = frames[:, :5].mean(1, keepdim=True).expand(2, 7, 3)
    lengths = {"a": torch.tensor([5, 5]), "b": torch.tensor([1, 1])}
    present = torch.ones(2, 2, dtype=torch.bool)
    with torch.no_grad():
        one, other = (
            model({"a": a, "b": torch.ones(2, 4)}, lengths, present)["category"]
            for a in (frames, means)
        )
    torch.testing.assert_close(one, other)
    assert model.size() == sum(p.numel() for p in model.level.fusion.parameters()) + 8 * 9


def test_early_fusion_takes_sets_wider_than_any_token():
    chosen = options(features=["a"], fusion="early")
    Network([FeatureSpec("a", "text", (5000,))], {"category": 8}, chosen)


def test_early_fusion_takes_a_tower_of_vectors():
    with pytest.raises(PipelineError, match="fusion: tower 'gru' takes sequences of frames"):
        network("early", tower={"kind": "gru"})


def test_an_example_that_cannot_be_seen_is_answered_by_the_prior():
    world = joined()
    world.present["pixels"][:] = False
    test = split_of(world, "test")
    priors = {"category": np.full(8, 1 / 8, np.float32), "language": np.eye(3, dtype=np.float32)[1]}
    result = predict(network("gated"), test, priors, modalities=["image"])
    assert (result["language"] == [0, 1, 0]).all()
    assert (result["category"] == np.float32(1 / 8)).all()


@settings(max_examples=20)
@given(seed=st.integers(0, 999), chance=st.sampled_from([0.0, 0.5, 0.99]))
def test_hiding_leaves_something_and_adds_nothing(seed, chance):
    some = split_of(joined(subjects=20), "train")
    shown = drop_modalities(np.random.default_rng(seed), some, chance)
    assert not (shown & ~some.present).any()
    assert (shown.any(1) == some.present.any(1)).all()
    if chance == 0:
        assert (shown == some.present).all()


def test_hiding_is_by_modality():
    world = joined(subjects=40, absent=0.0)
    some = split_of(world, "train", {"pixels": "image", "words": "image", "spectrum": "audio"})
    shown = drop_modalities(np.random.default_rng(0), some, 0.5)
    assert (shown[:, 0] == shown[:, 1]).all()
    assert 0.3 < shown[:, 0].mean() < 1


def test_an_epoch_shows_every_example_once():
    some = split_of(joined(), "train")
    batches = list(epoch(np.random.default_rng(0), some, 32, 0.1))
    rows = np.concatenate([rows for rows, _, _ in batches])
    assert sorted(rows) == list(range(len(some)))
    assert all((views["image"] == 0).all() for _, views, _ in batches)
