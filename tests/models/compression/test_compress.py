"""Ways to make a model smaller, on one small model that all tests share."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from pipeline.core.errors import PipelineError
from pipeline.models.compression.compress import CompressedModel, compress
from pipeline.models.compression.options import CompressionOptions
from pipeline.models.compression.pruning import prune
from pipeline.models.examples import Examples, build_examples, classes_of
from pipeline.models.metrics import scores
from pipeline.models.prediction import predict
from pipeline.models.saving import TrainedModel
from pipeline.models.tasks import kinds, task_of
from pipeline.models.training.loop import train
from pipeline.models.training.teacher import distances
from tests.models.synthetic import SETS, TASK_OPTIONS, joined, options, split_of
from tests.models.training.test_loop import CLASSES, CPU, WORLD

# Wide enough for weights to be most of the graph.
MODEL = options(fusion="gated", tower={"hidden": 128, "width": 32, "dropout": 0.1}, epochs=12)


def examples(split: str, sets=SETS, views: int = 1) -> Examples:
    every = [joined(view=view) for view in range(views)]
    data = build_examples(every, sets, classes_of(every[0], TASK_OPTIONS), TASK_OPTIONS)
    return data.take(every[0].split == split)


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    trained = train(examples("train"), examples("validation"), CLASSES, MODEL, 7, CPU)
    sets = list(examples("train").sets)
    made_by = {name: {"function": name} for name in SETS}
    return TrainedModel(trained.network.eval(), sets, MODEL, CLASSES, trained.priors, made_by)


def made(model: TrainedModel, sets=SETS, **given) -> CompressedModel:
    chosen = CompressionOptions(model="m", **given)
    training, validation = examples("train", sets, views=2), examples("validation", sets)
    return compress(model, training, validation, chosen, 7)


def score(model: TrainedModel, subset=None) -> float:
    test = split_of(WORLD, "test").of_sets(model.sets)
    answer = predict(model.network, test, model.priors, subset)["category"].argmax(1)
    return scores(test.targets["category"], answer)["macro_f1"]


@pytest.mark.parametrize("integers", ["dynamic", "static"])
def test_weights_become_whole_numbers_and_answers_hardly_change(model, integers):
    plain = made(model, ways=["prune"], pruned=0.01, pace=1e-6, epochs=1)
    small = made(model, ways=["quantise"], integers=integers)
    kept, before = (onnx.load_from_string(each.graph).graph.initializer for each in (small, plain))
    assert sum(each.ByteSize() for each in kept) < 0.5 * sum(each.ByteSize() for each in before)
    matrices = [each for each in kept if np.prod(each.dims) >= 128 * 32]
    assert matrices
    assert {each.data_type for each in matrices} == {onnx.TensorProto.INT8}
    test = split_of(WORLD, "test")
    for subset in (None, ("image",), ("audio", "text")):
        before = predict(model.network, test, model.priors, subset)
        after = predict(small.model.network, test, small.model.priors, subset)
        for task, answer in before.items():
            assert abs(after[task] - answer).max() < 0.1
            assert abs(after[task] - answer).max() > 0


def test_a_student_has_learned_from_the_models_answers_to_all_that_it_may_see(model):
    small = made(model, ways=["distil"], soft=1.0)
    assert small.model.options.tower.width == 16
    assert small.parameters < model.torch_network.size() / 2
    assert score(model) > 0.6
    assert score(small.model) > score(model) - 0.15
    # A model learned from nothing answers a modality alone no better than one class in eight.
    assert score(small.model, ("audio",)) > score(model, ("audio",)) - 0.1


def test_a_student_may_read_other_sets_than_its_model(model):
    """The world's sets under other names: the model answers by one and the student by others."""
    sets = {"words": "text", "spectrum": "audio", "pixels": "image"}
    student = {"features": ["words", "spectrum"], "tower": {"hidden": 16}}
    small = made(model, sets, ways=["distil"], student=student)
    assert [spec.name for spec in small.model.sets] == ["words", "spectrum"]
    assert small.model.made_by == {name: {"function": name} for name in ("words", "spectrum")}
    assert small.model.options.tower.width == 32
    assert score(small.model) > 0.15


def test_all_ways_one_after_the_other_give_the_same_bytes_each_time(model):
    before = {name: each.clone() for name, each in model.torch_network.state_dict().items()}
    first, again = (made(model, epochs=2, student={"epochs": 3}) for _ in range(2))
    assert first.graph == again.graph
    assert first.parameters < made(model, ways=["distil"], student={"epochs": 1}).parameters
    state = model.torch_network.state_dict()
    assert all(torch.equal(before[name], each) for name, each in state.items())
    assert score(first.model) > 0.2


def test_units_that_tell_nothing_apart_are_cut_and_what_they_gave_stays():
    """Of three such units one is always 0, one always the same and one is not listened to."""
    torch.manual_seed(0)
    first, last = nn.Linear(5, 8), nn.Linear(8, 3)
    with torch.no_grad():
        first.weight[[1, 6]], first.bias[[1, 6]] = 0.0, torch.tensor([0.0, 3.0])
        last.weight[:, 4] = 0.0
        first.weight[3] *= 100
    network = nn.Sequential(first, nn.GELU(), nn.Dropout(), last, nn.LayerNorm(3)).eval()
    rows = torch.randn(6, 5)
    wanted = network(rows)
    assert prune(network, 0.375, lambda: network(rows)) == 3
    assert (first.weight.shape, first.bias.shape, last.weight.shape) == ((5, 5), (5,), (3, 5))
    torch.testing.assert_close(network(rows), wanted)
    assert prune(network, 0.99, lambda: network(rows)) == 4
    assert last.in_features == 1


def test_a_transformers_hidden_layer_is_cut_too():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    assert prune(layer, 0.5, lambda: layer(torch.randn(2, 3, 8))) == 8
    assert layer.linear1.out_features == layer.linear2.in_features == 8
    assert layer(torch.randn(2, 3, 8)).isfinite().all()


def test_a_model_without_hidden_layers_cannot_be_pruned():
    with pytest.raises(PipelineError, match="leave it out of ways"):
        prune(nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3), nn.Linear(3, 3)), 0.5, print)


@pytest.mark.parametrize("kind", kinds())
def test_the_distance_is_least_where_answers_agree(kind):
    task = task_of(kind)
    torch.manual_seed(0)
    taught = torch.randn(4, 1 if kind == "binary" or task.NUMBER else 3)
    other = taught + torch.randn(taught.shape)
    assert distances(task, taught, taught, 2.0).abs().max() < 1e-6
    assert (distances(task, other, taught, 2.0).reshape(4, -1).sum(1) > 0).all()
    logits = other.clone().requires_grad_()
    optimizer = torch.optim.Adam([logits], 0.1)
    for _ in range(200):
        optimizer.zero_grad()
        distances(task, logits, taught, 2.0).sum().backward()
        optimizer.step()
    torch.testing.assert_close(
        task.answer(logits.detach()), task.answer(taught), rtol=0.05, atol=0.02
    )


def test_the_distance_of_classes_is_that_of_kullback_and_leibler():
    taught, logits = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    p, q = _soft([1.0, 0.0]), _soft([0.0, 3.0])
    wanted = 4 * float((p * np.log(p / q)).sum())
    assert distances(task_of("multiclass"), logits, taught, 2.0).item() == pytest.approx(wanted)


def _soft(logits: list[float]) -> np.ndarray:
    each = np.exp(np.array(logits) / 2)
    return each / each.sum()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ways": []}, "one way or more"),
        ({"ways": ["prune", "prune"]}, "each once"),
        ({"ways": ["quantise", "distil"]}, "quantise comes last"),
        ({"ways": ["shrink"]}, "ways.0"),
        ({"margin": 0}, "margin"),
        ({"pruned": 1}, "pruned"),
        ({"glue": 1}, "glue"),
    ],
)
def test_mistakes_are_named(given, said):
    with pytest.raises(ValidationError, match=said):
        CompressionOptions(model="m", **given)


def test_a_student_is_half_as_wide_or_as_it_is_told():
    halved = CompressionOptions(model="m").student_of(MODEL)
    assert (halved.tower.width, halved.tower.hidden) == (16, 64)
    told = CompressionOptions(model="m", student={"tower": {"hidden": 8}, "fusion": "late"})
    student = told.student_of(MODEL)
    assert (student.tower.hidden, student.tower.width, student.fusion) == (8, 32, "late")
    assert student.tasks == MODEL.tasks
    with pytest.raises(ValueError, match="has the tasks of its model"):
        CompressionOptions(model="m", student={"primary": "x"}).student_of(MODEL)
