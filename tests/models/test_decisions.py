"""What every fusion of decisions must do, and what each of them means."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.models.examples import FeatureSpec
from pipeline.models.fusion import fusion_of
from pipeline.models.network import Network
from pipeline.models.prediction import predict
from pipeline.models.saving import load_model, save_model
from tests.models.shapes import hold
from tests.models.synthetic import SETS, WIDTHS, options, split_of
from tests.models.test_fusion import EVERY, NAMES, draw, masks
from tests.models.training.test_loop import CLASSES as TRAINED_CLASSES
from tests.models.training.test_loop import WORLD, fit

DECISIONS = sorted(set(EVERY) - set(NAMES))
CLASSES = [5, 3]


def make(name: str, sets: int = 3, seed: int = 0):
    module = fusion_of(name)
    torch.manual_seed(seed)
    decision = hold(module.build(sets, CLASSES, module.Options()))
    for parameter in decision.parameters():
        torch.nn.init.normal_(parameter)
    return decision


def network(name: str) -> Network:
    torch.manual_seed(0)
    sets = [FeatureSpec(one, modality, (WIDTHS[one],)) for one, modality in SETS.items()]
    return Network(sets, {"category": 8, "language": 3}, options(fusion=name))


def batch(seed: int = 0):
    values = {one: draw(8, width, seed=seed + i) for i, (one, width) in enumerate(WIDTHS.items())}
    return values, {one: torch.ones(8, dtype=torch.int32) for one in SETS}, masks(3)


@pytest.mark.parametrize("name", DECISIONS)
@settings(max_examples=15)
@given(sets=st.integers(1, 4), seed=st.integers(0, 999), scale=st.sampled_from([0.0, 1.0, 1e3]))
def test_absent_logits_do_not_count_and_any_subset_is_finite(name, sets, seed, scale):
    decision = make(name, sets)
    present = masks(sets)
    for task, k in enumerate(CLASSES):
        logits = draw(len(present), sets, k, seed=seed) * scale
        broken = logits.where(present[..., None], torch.nan)
        with torch.no_grad():
            message = decision(task, logits, present)
            assert torch.equal(decision(task, broken, present), message)
        assert message.shape == (len(present), k)
        assert message.isfinite().all()
        torch.testing.assert_close(message.exp().sum(1), torch.ones(len(present)))


@pytest.mark.parametrize("name", DECISIONS)
def test_half_precision_says_nearly_the_same(name):
    decision, present = make(name), masks(3)
    logits = draw(8, 3, 5)
    with torch.autocast("cpu", dtype=torch.float16):
        message = decision(0, logits.half(), present)
    wanted = decision(0, logits.half().float(), present)
    torch.testing.assert_close(message.float(), wanted, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("name", DECISIONS)
def test_gradients_reach_what_is_present_alone_and_rows_are_independent(name):
    decision, present = make(name), masks(3)
    logits = draw(8, 3, 5, seed=1).requires_grad_()
    decided = decision(0, logits, present)
    (decided * draw(8, 5, seed=2)).sum().backward()
    assert logits.grad.isfinite().all()
    assert torch.equal(logits.grad.any(2), present)
    order = torch.randperm(8, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        shuffled = decision(0, logits[order], present[order])
        alone = torch.cat([decision(0, logits[[i]], present[[i]]) for i in range(8)])
    torch.testing.assert_close(shuffled, decided[order])
    torch.testing.assert_close(alone, decided)


@pytest.mark.parametrize("name", DECISIONS)
def test_all_that_it_learns_is_in_its_layers(name):
    one, other = make(name), make(name, seed=1)
    other.load_state_dict(one.state_dict())
    logits, present = draw(8, 3, 5), masks(3)
    assert torch.equal(other(0, logits, present), one(0, logits, present))


@pytest.mark.parametrize("name", DECISIONS)
def test_a_tiny_batch_is_learned_by_heart(name):
    model, inputs = network(name), batch()
    classes = torch.tensor([0, 0, 1, 2, 3, 4, 5, 6])
    optimizer = torch.optim.Adam(model.parameters(), 0.03)
    for _ in range(100):
        optimizer.zero_grad()
        torch.stack(
            [
                torch.nn.functional.cross_entropy(one["category"][1:], classes[1:])
                for one in model.training_outputs(*inputs)
            ]
        ).mean().backward()
        optimizer.step()
    with torch.no_grad():
        assert torch.equal(model.eval()(*inputs)["category"].argmax(1)[1:], classes[1:])


@pytest.mark.parametrize("name", DECISIONS)
def test_each_set_learns_by_its_own_loss(name):
    model, inputs = network(name).eval(), batch()
    lessons = model.training_outputs(*inputs)
    learns = name in ("learned_average", "stacking")
    assert len(lessons) == 3 + learns
    for i, lesson in enumerate(lessons[:3]):
        model.zero_grad(set_to_none=True)
        lesson["category"].square().sum().backward(retain_graph=True)
        touched = [
            any(p.grad is not None and p.grad.any() for p in tower.parameters())
            for tower in model.towers
        ]
        assert touched == [j == i for j in range(3)]
        assert not lesson["category"][~inputs[2][:, i]].any()
    if learns:
        model.zero_grad(set_to_none=True)
        lessons[-1]["category"].square().sum().backward()
        assert all(p.grad is None for p in model.towers.parameters())
        assert any(p.grad is not None and p.grad.any() for p in model.level.fusion.parameters())


def test_a_geometric_mean_is_of_logarithms_over_those_that_are_there():
    logits = draw(5, 3, 4)
    present = masks(3)[[7, 3, 1, 0, 6]]
    message = make("geometric")(0, logits, present).exp()
    each = logits.softmax(2)
    for row, shown in enumerate(present):
        wanted = each[row, shown].prod(0) ** (1 / max(int(shown.sum()), 1))
        assert torch.allclose(message[row], wanted / wanted.sum(), atol=1e-6)


def test_an_average_is_of_probabilities():
    logits, present = draw(8, 3, 5), masks(3)
    message = make("average")(0, logits, present).exp()
    torch.testing.assert_close(message[7], logits[7].softmax(1).mean(0))
    torch.testing.assert_close(message[5], logits[5, [0, 2]].softmax(1).mean(0))
    torch.testing.assert_close(message[0], torch.full((5,), 0.2))


def test_the_majority_wins_however_sure_the_others_are():
    weak, strong = torch.tensor([0.1, 0.0, 0.0]), torch.tensor([0.0, 50.0, 0.0])
    logits = torch.stack([weak, weak, strong])[None]
    vote, average = make("vote"), make("average")
    everyone = torch.ones(1, 3, dtype=torch.bool)
    assert vote(1, logits, everyone).argmax() == 0
    assert average(1, logits, everyone).argmax() == 1


def test_the_mean_probability_breaks_a_tie():
    logits = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 9.0]]])
    present = torch.tensor([[True, True, False]])
    assert make("vote")(1, logits, present).argmax() == 1


def test_learned_weights_are_shared_out_over_what_is_present():
    decision, present = make("learned_average"), masks(3)
    weights = decision.set_weights(0, present)
    assert not weights[~present].any()
    torch.testing.assert_close(weights.sum(1), present.any(1).float())
    logits = draw(8, 3, 5)
    message = decision(0, logits, present)[7].exp()
    torch.testing.assert_close(message, weights[7] @ logits[7].softmax(1))


def test_a_stack_starts_as_the_mean_of_the_logarithms():
    module = fusion_of("stacking")
    logits, present = draw(8, 3, 5), masks(3)
    message = module.build(3, CLASSES, module.Options())(0, logits, present)
    mean = logits[7].log_softmax(1).mean(0).log_softmax(0)
    torch.testing.assert_close(message[7], mean)


def test_a_model_of_decisions_is_trained_saved_and_read_back(tmp_path):
    trained = fit(list(SETS), fusion="stacking", epochs=15)
    test = split_of(WORLD, "test")
    message = predict(trained.network, test, trained.priors)
    chosen = options(fusion="stacking")
    about = {"made_by": {}, "samples": {}}
    save_model(tmp_path, trained, test.sets, TRAINED_CLASSES, chosen, about)
    again = load_model(tmp_path)
    for task, each in predict(again.network, test, again.priors).items():
        assert (each == message[task]).all()
    right = (message["language"].argmax(1) == test.targets["language"]).mean()
    assert right > 0.6
