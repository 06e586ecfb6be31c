"""A graph of ONNX answers what torch does, for every tower, fusion and kind of target."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.core import registry
from pipeline.core.errors import PipelineError
from pipeline.models.compression.export import onnx_graph
from pipeline.models.examples import Examples, FeatureSpec
from pipeline.models.fusion import fusion_of
from pipeline.models.network import Network
from pipeline.models.onnx_network import OnnxNetwork
from pipeline.models.options import ModelOptions
from pipeline.models.prediction import predict
from pipeline.models.saving import TrainedModel, load_model, save_graph
from tests.models import test_towers as towers
from tests.models import world
from tests.models.synthetic import options

CLOSE = 1e-5
TASKS = {"sort": 4, "alive": 2, "traits": 3, "size": 4, "weight": 0}
# Of the others all towers stand in one network, one set each.
SETS_AT_MOST = {"none": 1, "crossmodal": 3, "bottleneck": 7}
FUSION_OPTIONS = {
    "tensor": {"part": 1},
    **{fusion: {"heads": 3} for fusion in ("attention", "bottleneck", "crossmodal")},
}
MODALITIES = ("image", "audio", "text")


def specs(fusion: str) -> list[tuple[str, FeatureSpec]]:
    """A set for every kind of tower, with the kind; alone, for every shape of row that it takes."""
    cases = towers.CASES if fusion == "none" else dict(towers.CASES).items()
    return [
        (kind, FeatureSpec(f"{kind}_{shape}", MODALITIES[i % 3], towers.SHAPES[shape]))
        for i, (kind, shape) in enumerate(cases)
        if fusion != "early" or shape != "ids"
    ]


def make(fusion: str, part: list[tuple[str, FeatureSpec]]) -> tuple[Network, ModelOptions]:
    """A network of these towers, with a task of every kind that the fusion joins."""
    given = {spec.name: towers.of(kind).model_dump() for kind, spec in part}
    tasks = {"sort": TASKS["sort"]} if fusion_of(fusion).LEVEL == "decisions" else TASKS
    chosen = options(
        features=list(given),
        fusion=fusion,
        fusion_options=FUSION_OPTIONS.get(fusion, {}),
        towers={} if fusion == "early" else given,
        tower={"width": towers.WIDTH, "hidden": 8},
        tasks={task: world.TASKS[task] for task in tasks},
        primary="sort",
    )
    torch.manual_seed(0)
    network = Network([spec for _, spec in part], tasks, chosen)
    for tower in network.towers:
        if tower.ids:
            tower.kind.fit(torch.arange(1, 9), torch.arange(2, 10))
    for task, decoding in network.decodings.items():
        network.decodings[task] = replace(decoding, temperature=1.5, mean=3.0, deviation=2.0)
    return network.eval(), chosen


def networks(fusion: str):
    """Networks of a fusion that have every tower between them, with what they read."""
    every = specs(fusion)
    size = SETS_AT_MOST.get(fusion, len(every))
    for start in range(0, len(every), size):
        # The last two together: a fusion takes no single set.
        part = every[min(start, len(every) - min(size, 2)) :][:size]
        yield make(fusion, part)[0], [spec for _, spec in part]


def examples(sets: list[FeatureSpec]) -> Examples:
    """Rows of which the first has all sets, the second none, and the others some."""
    rows = 7
    drawn = [towers.draw(spec.name.rpartition("_")[2], rows, seed=i) for i, spec in enumerate(sets)]
    present = np.random.default_rng(1).random((rows, len(sets))) < 0.6
    present[0], present[1] = True, False
    values = {
        spec.name: np.where(present[:, i].reshape(-1, *[1] * len(spec.shape)), each[0], np.nan)[
            None
        ]
        for i, (spec, each) in enumerate(zip(sets, drawn, strict=True))
    }
    lengths = {
        spec.name: each[1].numpy()[None].astype(np.int32)
        for spec, each in zip(sets, drawn, strict=True)
    }
    names = np.arange(rows).astype(str)
    return Examples(tuple(sets), values, lengths, present, {}, names, names)


@pytest.mark.parametrize("fusion", registry.names("models/fusion"))
def test_every_tower_under_every_fusion_answers_the_same_without_torch(fusion):
    for network, sets in networks(fusion):
        graph = OnnxNetwork(onnx_graph(network, sets), sets, network.decodings)
        for rows in ([0], [1], range(7)):
            batch = examples(sets).take(np.array(rows))
            visible = np.ones_like(batch.present)
            wanted, answered = network.answers(batch, visible), graph.answers(batch, visible)
            assert list(answered) == network.tasks
            for task, each in wanted.items():
                assert each.shape == answered[task].shape
                np.testing.assert_allclose(answered[task], each, rtol=CLOSE, atol=CLOSE)


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> tuple[Path, TrainedModel]:
    """A model as a graph on disk, and as it was before."""
    part = specs("gated")
    network, chosen = make("gated", part)
    sets = [spec for _, spec in part]
    classes = {task: [f"c{i}" for i in range(count)] for task, count in TASKS.items()}
    priors = {task: np.full(max(count, 1), 0.25, np.float32) for task, count in TASKS.items()}
    model = TrainedModel(network, sets, chosen, classes, priors, {})
    folder = tmp_path_factory.mktemp("model")
    save_graph(folder, onnx_graph(network, sets), model, {"note": "kept"})
    return folder, model


def test_a_graph_is_read_back_and_predicts_without_torch(saved, tmp_path):
    folder, model = saved
    batch = examples(model.sets)
    wanted = {
        subset: predict(model.network, batch, model.priors, subset)
        for subset in (None, ("image",), ("audio", "text"))
    }
    (tmp_path / "batch.pickle").write_bytes(pickle.dumps(batch))
    code = (
        "import pickle, sys; from pathlib import Path\n"
        "from pipeline.models.prediction import predict\n"
        "from pipeline.models.saving import load_model\n"
        f"model = load_model(Path({str(folder)!r}))\n"
        f"batch = pickle.loads(Path({str(tmp_path / 'batch.pickle')!r}).read_bytes())\n"
        f"answers = [predict(model.network, batch, model.priors, s) for s in {list(wanted)!r}]\n"
        "assert 'torch' not in sys.modules\n"
        f"Path({str(tmp_path / 'out')!r}).write_bytes(pickle.dumps(answers))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    for answered, each in zip(
        pickle.loads((tmp_path / "out").read_bytes()), wanted.values(), strict=True
    ):
        for task, answer in each.items():
            np.testing.assert_allclose(answered[task], answer, rtol=CLOSE, atol=CLOSE)
            assert (answered[task][1] == model.priors[task]).all()


def test_the_same_weights_give_the_same_bytes_in_another_process_and_name_no_path(saved):
    folder, _ = saved
    code = (
        "import sys; from tests.models.compression.test_export import *\n"
        "part = specs('gated')\n"
        "graph = onnx_graph(make('gated', part)[0], [spec for _, spec in part])\n"
        "sys.stdout.buffer.write(graph)"
    )
    again = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout
    assert again == (folder / "model.onnx").read_bytes()
    assert b".py" not in again


def test_a_network_that_is_exported_stays_as_it_was(saved):
    _, model = saved
    network = model.torch_network
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.train()
    onnx_graph(network, model.sets)
    assert network.training
    assert torch.backends.mha.get_fastpath_enabled()
    assert all(torch.equal(state[name], each) for name, each in network.state_dict().items())
    network.eval()


@pytest.mark.parametrize("damage", ["empty", "cut", "noise", "another"])
def test_a_graph_that_is_not_the_models_is_refused(saved, tmp_path, damage):
    folder, _ = saved
    shutil.copytree(folder, tmp_path / "model")
    path = tmp_path / "model" / "model.onnx"
    whole = path.read_bytes()
    if damage == "another":
        part = specs("none")[:1]
        whole = onnx_graph(make("none", part)[0], [spec for _, spec in part])
    damaged = {"empty": b"", "cut": whole[: len(whole) // 2], "noise": bytes(1000)}
    path.write_bytes(damaged.get(damage, whole))
    with pytest.raises(
        PipelineError, match=r"model.onnx does not hold the weights that .*dvc repro"
    ):
        load_model(tmp_path / "model")


def test_a_model_that_was_refused_is_not_loaded_and_says_why(saved, tmp_path):
    folder, model = saved
    about = {"name": "small", "refused": "it is worse"}
    save_graph(tmp_path, (folder / "model.onnx").read_bytes(), model, about)
    with pytest.raises(PipelineError, match="model 'small' is not offered: it is worse"):
        load_model(tmp_path)


def test_a_graph_cannot_be_looked_into(saved):
    with pytest.raises(PipelineError, match="a graph of ONNX"):
        _ = load_model(saved[0]).torch_network
