"""What towers and fusions owe to sequences, and a question that only their order answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.core import registry
from pipeline.models.compression.export import onnx_graph, vector_graph
from pipeline.models.compression.pruning import prune
from pipeline.models.compression.quantisation import quantise_dynamic
from pipeline.models.examples import Examples, FeatureSpec
from pipeline.models.explanation.gradients import attributions
from pipeline.models.fusion import FOLDER, fusion_of
from pipeline.models.network import Network
from pipeline.models.onnx_network import OnnxNetwork
from pipeline.models.options import ModelOptions
from pipeline.models.prediction import predict
from pipeline.models.saving import TrainedModel
from pipeline.models.sequences import TokenSequence
from pipeline.models.statistics import feature_moments
from pipeline.models.tower_options import of_kind
from pipeline.models.training.batches import Tensors
from pipeline.models.training.loop import train
from tests.models import test_towers as towers
from tests.models.shapes import hold
from tests.models.test_fusion import draw, masks

WIDTH = 8
FUSIONS = [name for name in registry.names(FOLDER) if fusion_of(name).LEVEL == "sequences"]
# A sequence, a set of one token and a longer sequence.
LONGEST = (4, 1, 7)
APART = [case for case in towers.CASES if towers.make(*case).step]
CPU = torch.device("cpu")


def made(name: str, longest: tuple[int, ...] = LONGEST) -> torch.nn.Module:
    module = fusion_of(name)
    torch.manual_seed(0)
    return hold(module.build(longest, WIDTH, module.Options(heads=2))).eval()


def sequences(rows: int, longest: tuple[int, ...] = LONGEST, seed: int = 0) -> list[TokenSequence]:
    """The tokens of each set, of which the first row has as many as the longest."""
    drawn = []
    for i, most in enumerate(longest):
        random = torch.Generator().manual_seed(seed + i)
        lengths = torch.randint(1, most + 1, (rows, 1), generator=random)
        lengths[0] = most
        times = torch.arange(most).expand(rows, most) * 0.5
        tokens = draw(rows, most, WIDTH, seed=seed + i)
        drawn.append(TokenSequence(tokens, torch.arange(most) < lengths, times))
    return drawn


@pytest.mark.parametrize("name", FUSIONS)
@pytest.mark.parametrize("filling", [77.0, torch.nan, torch.inf])
def test_neither_padding_nor_what_is_absent_counts(name, filling):
    fusion, present = made(name), masks(3)
    given = sequences(8)
    filled = []
    for i, (tokens, counted, times) in enumerate(given):
        known = counted & present[:, i : i + 1]
        shown = tokens.where(known[..., None], filling)
        filled.append(TokenSequence(shown, counted, times.where(known, filling)))
    padding = (filling, False, filling)
    longer = [
        TokenSequence(
            *(
                torch.cat([part, part.new_ones(8, 3, *part.shape[2:]) * fill], 1)
                for part, fill in zip(each, padding, strict=True)
            )
        )
        for each in given
    ]
    with torch.no_grad():
        fused = fusion(given, present)
        assert fused.shape == (8, fusion.width)
        assert fused.isfinite().all()
        assert torch.equal(fusion(filled, present), fused)
        torch.testing.assert_close(fusion([longer[0], given[1], longer[2]], present), fused)


@pytest.mark.parametrize("name", FUSIONS)
def test_gradients_reach_all_that_counts_and_rows_are_independent(name):
    fusion, present = made(name), masks(3)
    given = sequences(8)
    for sequence in given:
        sequence.tokens.requires_grad_()
    fused = fusion(given, present)
    (fused * draw(*fused.shape, seed=3)).sum().backward()
    for i, (tokens, counted, _) in enumerate(given):
        assert tokens.grad.isfinite().all()
        assert torch.equal(tokens.grad.any(2), counted & present[:, i : i + 1])
    with torch.no_grad():
        alone = [
            fusion(
                [TokenSequence(*(part[i : i + 1] for part in each)) for each in given],
                present[i : i + 1],
            )
            for i in range(8)
        ]
    torch.testing.assert_close(torch.cat(alone), fused)


@pytest.mark.parametrize("name", FUSIONS)
def test_it_counts_when_things_are(name):
    """Their time and not their place: the order in which one set's tokens come says nothing."""
    fusion, present = made(name, (4, 4)), torch.ones(1, 2, dtype=torch.bool)
    first, second = sequences(1, (4, 4))
    tokens, counted, times = second
    order = torch.tensor([2, 0, 3, 1])
    with torch.no_grad():
        fused = fusion([first, second], present)
        later = fusion([first, second._replace(times=times + 0.5)], present)
        assert not torch.allclose(later, fused, atol=1e-4)
        if name == "bottleneck":  # what is read stands before all
            turned = TokenSequence(tokens[:, order], counted, times[:, order])
            torch.testing.assert_close(fusion([first, turned], present), fused)


@pytest.mark.parametrize("name", FUSIONS)
def test_a_sequence_of_nothing_is_no_mistake(name):
    """No token of it counts, though it is not absent."""
    fusion, present = made(name), torch.ones(4, 3, dtype=torch.bool)
    *others, (tokens, counted, times) = sequences(4)
    tokens.requires_grad_()
    fused = fusion([*others, TokenSequence(tokens, torch.zeros_like(counted), times)], present)
    fused.square().sum().backward()
    assert fused.isfinite().all()
    assert not tokens.grad.any()
    assert all(each.grad is None or each.grad.isfinite().all() for each in fusion.parameters())


@pytest.mark.parametrize(("kind", "shape"), APART)
def test_a_tower_keeps_frames_apart(kind, shape):
    tower = towers.make(kind, shape)
    values, lengths = towers.draw(shape)
    other = values.clone()
    other[torch.arange(towers.FRAMES) >= lengths[:, None]] = torch.nan
    with torch.no_grad():
        tokens, counted, times = tower.sequence(values, lengths)
        again, *_ = tower.sequence(other, lengths)
    assert tokens.shape == (5, tower.places, towers.WIDTH)
    assert counted.sum(1).tolist() == [-(-length // tower.step) for length in lengths.tolist()]
    assert torch.equal(tokens[counted], again[counted])
    assert times[0].tolist() == list(range(0, towers.FRAMES, tower.step))
    if kind not in ("transformer", "embedding"):
        one = torch.ones(5, dtype=torch.int64)
        with torch.no_grad():
            alone, counted, _ = tower.sequence(values, one)
            torch.testing.assert_close(alone[:, 0], tower(values, one))
        assert counted.sum(1).tolist() == [1] * 5


def test_vectors_and_towers_that_pool_give_one_token():
    for kind, shape in [("linear", "vector"), ("attention", "frames")]:
        tower = towers.make(kind, shape)
        values, lengths = towers.draw(shape)
        with torch.no_grad():
            tokens, counted, times = tower.sequence(values, lengths)
            assert torch.equal(tokens[:, 0], tower(values, lengths))
        assert (tower.places, counted.all().item(), times.any().item()) == (1, True, False)


def test_times_are_those_that_frames_bear():
    tower = towers.make("convolution", "frames", times=True)
    values, lengths = towers.draw("frames")
    values[..., -1] = torch.arange(towers.FRAMES) / 2
    *_, times = tower.sequence(values, lengths)
    torch.testing.assert_close(times[0], torch.tensor([0.0, 2.0, 4.0]))
    with pytest.raises(ValueError, match="of which the last is their time"):
        towers.Tower((4,), towers.of("linear", times=True))
    with pytest.raises(ValueError, match="takes a reader without times"):
        towers.Tower(
            (4, 1), of_kind({"kind": "embedding", "reader": {"kind": "gru", "times": True}})
        )


# -- a question of order ---------------------------------------------------------------------------
# Windows of a second; pictures are seen twice in each, sounds are heard once.
WINDOWS, TASK = 6, {"together": ["0", "1"]}
SETS = (
    FeatureSpec("seen", "image", (2 * WINDOWS, 2)),
    FeatureSpec("heard", "audio", (WINDOWS, 2)),
)


def films(count: int, seed: int) -> Examples:
    """Marks and tones of both signs: does each tone come with a mark of its sign, or against it?

    There are as many of either sign in every film and of every kind, so that all that can be said
    of what is seen, or heard, without saying when, is the same for both answers.
    """
    rng = np.random.default_rng(seed)
    windows = rng.choice([WINDOWS - 2, WINDOWS], count)
    together = rng.integers(0, 2, count)
    values = {
        spec.name: 0.3 * rng.normal(size=(1, count, *spec.shape)).astype(np.float32)
        for spec in SETS
    }
    for row, length in enumerate(windows):
        marks = rng.permutation(np.repeat([-1, 1], length // 2))
        values["seen"][0, row, : 2 * length, 0] += np.repeat(marks, 2)
        values["heard"][0, row, :length, 0] += marks if together[row] else -marks
    values["seen"][..., -1] = (np.arange(2 * WINDOWS) + 0.5) / 2
    values["heard"][..., -1] = np.arange(WINDOWS) + 0.5
    windows = windows.astype(np.int32)
    lengths = {"seen": 2 * windows[None], "heard": windows[None]}
    names = np.arange(count).astype(str)
    present = np.ones((count, 2), bool)
    return Examples(SETS, values, lengths, present, {"together": together}, names, names)


def options(fusion: str, **changed: Any) -> ModelOptions:
    given = {
        "features": ["seen", "heard"],
        "fusion": fusion,
        "tower": {"kind": "linear", "width": 16, "times": True},
        "tasks": {"together": {}},
        "primary": "together",
        "modality_dropout": 0.0,
        "epochs": 8,
        "batch_size": 32,
        "learning_rate": 0.01,
        "label_smoothing": 0.0,
        **changed,
    }
    return ModelOptions.model_validate(given)


def accuracy(chosen: ModelOptions) -> float:
    """Share of right answers on films that were not trained on."""
    trained = train(films(384, 1), films(64, 2), TASK, chosen, 0, CPU)
    test = films(400, 3)
    said = predict(trained.network, test, trained.priors)["together"].argmax(1)
    return float((said == test.targets["together"]).mean())


def test_what_only_order_tells_is_learned_over_sequences_and_not_from_pooled_towers():
    small = {"hidden": 16, "heads": 2, "dropout": 0.0}
    assert accuracy(options("crossmodal", fusion_options=small)) > 0.9
    assert accuracy(options("concatenation")) < 0.6


def test_a_learned_token_stands_in_for_an_absent_sequence():
    chosen = options("bottleneck", absent="learned")
    network = Network(SETS, {"together": 2}, chosen).eval()
    batch = films(4, 0)
    hidden = np.array([[True, True], [True, False], [False, True], [False, False]])
    inputs = Tensors(batch, CPU).gather(np.arange(4), kept=hidden)
    with torch.no_grad():
        before = network(inputs.values, inputs.lengths, inputs.present)["together"]
        network.absent.data[1] += 1
        after = network(inputs.values, inputs.lengths, inputs.present)["together"]
    assert after.isfinite().all()
    changed = (after != before).any(1)
    assert changed.tolist() == [False, True, False, True]


def test_a_space_reads_the_mean_of_a_sequence():
    """In training as in the graph that `pipeline freeze` writes."""
    import onnxruntime

    chosen = options("crossmodal", alignment={"dimension": 4})
    torch.manual_seed(0)
    network = Network(SETS, {"together": 2}, chosen).eval()
    batch = films(5, 0)
    vectors, has = network.vectors(Tensors(batch, CPU), batch.present)
    assert has.all()
    session = onnxruntime.InferenceSession(vector_graph(network, SETS, "audio"))
    feed = {
        "values.heard": batch.values["heard"][0],
        "lengths.heard": batch.lengths["heard"][0],
    }
    (frozen,) = session.run(None, feed)
    place = batch.modalities.index("audio")
    np.testing.assert_allclose(frozen, vectors[:, place], atol=1e-6)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_what_attends_over_sequences_is_pruned_and_quantised(fusion):
    torch.manual_seed(0)
    network = Network(SETS, {"together": 2}, options(fusion)).eval()
    batch = films(64, 0)
    visible = np.random.default_rng(0).random((64, 2)) < 0.8
    assert prune(network, 0.5, lambda: network.answers(batch, visible)) == 64
    answers = network.answers(batch, visible)["together"]
    graph = quantise_dynamic(onnx_graph(network, SETS))
    whole = OnnxNetwork(graph, SETS, network.decodings).answers(batch, visible)["together"]
    np.testing.assert_allclose(whole, answers, atol=0.02)
    assert np.ptp(whole, axis=0).min() > 0.01


@pytest.mark.parametrize("fusion", FUSIONS)
def test_an_answer_over_sequences_is_explained(fusion):
    """What each frame adds sums up to what the answer has over the mean at the same times.

    In films of an hour too, over which sinusoids turn often. Padding adds nothing, nor do times.
    """
    pytest.importorskip("captum", reason="requirements/engines.txt installs it, for `make test`")
    chosen = options(fusion, fusion_options={"heads": 2})
    torch.manual_seed(0)
    network, batch = Network(SETS, {"together": 2}, chosen).eval(), films(6, 0)
    for values in batch.values.values():
        values[..., -1] *= 600
    network.fit(batch)
    model = TrainedModel(network, list(SETS), chosen, TASK, {}, {})
    means = {spec.name: feature_moments(batch, spec.name)[0] for spec in SETS}
    parts = attributions(model, batch, means, "together")
    answers = network.answers(batch, batch.present)["together"]
    said = np.arange(6), answers.argmax(1)
    flat = {name: each.copy() for name, each in batch.values.items()}
    for name, each in flat.items():
        each[..., :-1] = means[name][:-1]
    mean = replace(batch, values=flat)
    gain = np.log(answers[said]) - np.log(network.answers(mean, batch.present)["together"][said])
    assert abs(gain).max() > 0.01
    np.testing.assert_allclose(sum(each.sum((1, 2)) for each in parts.values()), gain, atol=1e-3)
    for name, each in parts.items():
        assert not each[np.arange(each.shape[1]) >= batch.lengths[name][0][:, None]].any()
        assert not each[..., -1].any()


@pytest.mark.parametrize("name", FUSIONS)
def test_half_precision_says_nearly_the_same(name):
    """Under autocast to float16, whose numbers end at 65504, of which times may be many."""
    fusion, present = made(name), masks(3)
    given = [each._replace(times=each.times * 1000) for each in sequences(8)]
    wanted = fusion(given, present)
    with torch.autocast("cpu", dtype=torch.float16):
        halved = [each._replace(tokens=each.tokens @ torch.eye(WIDTH)) for each in given]
        fused = fusion(halved, present)
    torch.testing.assert_close(fused.float(), wanted, rtol=0.02, atol=0.02)
