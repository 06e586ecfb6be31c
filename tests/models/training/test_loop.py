from __future__ import annotations

import functools
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from pipeline.core.errors import PipelineError
from pipeline.models.examples import build_examples, classes_of
from pipeline.models.metrics import scores
from pipeline.models.prediction import predict
from pipeline.models.saving import load_model, save_model
from pipeline.models.statistics import feature_moments
from pipeline.models.task_options import TaskOfKind
from pipeline.models.tasks import regression
from pipeline.models.training.loop import Trained, train
from tests.models.synthetic import SETS, TASK_OPTIONS, TASKS, joined, options, split_of

CPU = torch.device("cpu")
WORLD = joined()
CLASSES = classes_of(WORLD, TASK_OPTIONS)


def fit(features: list[str], **changed) -> Trained:
    sets = {name: SETS[name] for name in features}
    training, validation = (split_of(WORLD, name, sets) for name in ("train", "validation"))
    return train(training, validation, CLASSES, options(features=features, **changed), 7, CPU)


def measure(trained: Trained, features: list[str]) -> float:
    test = split_of(WORLD, "test", {name: SETS[name] for name in features})
    prediction = predict(trained.network, test, trained.priors)["category"].argmax(1)
    return scores(test.targets["category"], prediction)["macro_f1"]


@functools.cache
def best_single() -> float:
    return max(measure(fit([name], fusion="none", epochs=15), [name]) for name in SETS)


@pytest.mark.parametrize("fusion", ["concatenation", "gated", "attention", "product"])
def test_fusion_beats_the_best_single_modality(fusion):
    """Each modality knows one bit of three, so that alone it can be right in a quarter at most."""
    single = best_single()
    fused = measure(fit(list(SETS), fusion=fusion), list(SETS))
    assert single < 0.35
    assert fused > single + 0.2


def test_late_fusion_cannot_join_bits_but_learns():
    assert measure(fit(list(SETS), fusion="late"), list(SETS)) > 0.4


def test_both_tasks_are_learnt():
    trained = fit(list(SETS))
    best = trained.curves[trained.best_epoch]
    assert best["validation/category/macro_f1"] > 0.5
    assert best["validation/language/macro_f1"] > 0.6


def test_an_error_is_best_where_it_is_least(monkeypatch: pytest.MonkeyPatch):
    """By whatever figure a kind is ranked."""
    monkeypatch.setattr(
        regression, "FIGURES", {"mae": regression.FIGURES["mae"], **regression.FIGURES}
    )
    task = TypeAdapter(TaskOfKind).validate_python({"kind": "regression"})
    size = np.array([float(name[1:]) for name in WORLD.targets["category"]], dtype=object)
    world = replace(WORLD, targets={"size": size})
    data = build_examples([world], SETS, {"size": []}, {"size": task})
    training, validation = (data.take(world.split == name) for name in ("train", "validation"))
    chosen = options(tasks={"size": task}, primary="size", epochs=4, learning_rate=0.02)
    trained = train(training, validation, {"size": []}, chosen, 7, CPU)
    errors = [epoch["validation/size/mae"] for epoch in trained.curves]
    assert trained.best_epoch == np.argmin(errors) != np.argmax(errors)


def test_modality_dropout_helps_where_a_modality_is_missing():
    full = joined(absent=0.0)
    without = joined(absent=0.0)
    without.present["words"][:] = False
    outcomes = []
    for chance in (0.0, 0.4):
        training, validation = (split_of(full, name) for name in ("train", "validation"))
        chosen = options(modality_dropout=chance, epochs=30, patience=30, monitor="loss")
        trained = train(training, validation, CLASSES, chosen, 3, CPU)
        test = split_of(without, "test")
        probability = predict(trained.network, test, trained.priors)["category"]
        truth = test.targets["category"]
        outcomes.append(-np.log(probability[np.arange(len(truth)), truth] + 1e-9).mean())
    assert outcomes[1] < outcomes[0]


def test_it_stops_early_and_keeps_the_best():
    trained = fit(list(SETS), epochs=200, patience=4)
    curve = [epoch["validation/category/macro_f1"] for epoch in trained.curves]
    assert len(curve) < 200
    assert trained.best_epoch == len(curve) - 1 - 4
    assert trained.best_epoch == int(np.argmax(curve))
    validation = split_of(WORLD, "validation")
    prediction = predict(trained.network, validation, trained.priors)["category"].argmax(1)
    kept = scores(validation.targets["category"], prediction)["macro_f1"]
    assert kept == pytest.approx(max(curve))


def test_it_can_stop_by_the_loss():
    trained = fit(list(SETS), monitor="loss", patience=3)
    curve = [epoch["validation/category/loss"] for epoch in trained.curves]
    assert trained.best_epoch == int(np.argmin(curve))


def test_statistics_are_those_of_the_present_training_rows():
    sets = {"words": "text"}
    training = split_of(WORLD, "train", sets)
    there = training.values["words"][0][training.present[:, 0]].astype(np.float64)
    mean, deviation = feature_moments(training, "words")
    np.testing.assert_allclose(mean, there.mean(0))
    np.testing.assert_allclose(deviation, there.std(0))
    state = fit(["words"], fusion="none", epochs=1).network.state_dict()
    np.testing.assert_allclose(state["towers.0.mean"], there.mean(0), rtol=1e-5)
    np.testing.assert_allclose(state["towers.0.scale"], 1 / there.std(0), rtol=1e-5)


def test_statistics_of_frames_count_what_is_within_their_length():
    training = replace(
        split_of(WORLD, "train", {"words": "text"}),
        values={"words": np.array([[[[1.0], [3.0], [99.0]], [[5.0], [99.0], [99.0]]]], np.float32)},
        lengths={"words": np.array([[2, 1]], np.int32)},
        present=np.array([[True], [True]]),
    )
    mean, deviation = feature_moments(training, "words")
    assert mean == pytest.approx([3.0])
    assert deviation == pytest.approx(np.std([1, 3, 5]))


def test_augmented_views_are_drawn_in_training():
    chosen = options(views=2, epochs=2)
    views = [joined(view=v) for v in range(3)]
    whole = build_examples(views, SETS, CLASSES, TASK_OPTIONS)
    training = whole.take(WORLD.split == "train")
    validation = whole.take(WORLD.split == "validation", views=1)
    assert training.values["words"].shape[0] == 3
    assert validation.values["words"].shape[0] == 1
    with_views = train(training, validation, CLASSES, chosen, 7, CPU)
    plain = train(split_of(WORLD, "train"), validation, CLASSES, chosen, 7, CPU)
    assert with_views.curves != plain.curves


def test_examples_with_nothing_present_teach_nothing():
    training, validation = (split_of(WORLD, name) for name in ("train", "validation"))
    kept = np.arange(len(training)) % 7 > 0
    dark = replace(training, present=training.present & kept[:, None])
    chosen = options(epochs=2)
    with_dark = train(dark, validation, CLASSES, chosen, 7, CPU)
    without = train(training.take(kept), validation, CLASSES, chosen, 7, CPU)
    assert with_dark.curves == without.curves


@pytest.mark.parametrize("split", ["train", "validation"])
def test_nothing_to_learn_from_is_said(split):
    parts = {name: split_of(WORLD, name) for name in ("train", "validation")}
    parts[split] = parts[split].take(np.zeros(len(parts[split]), bool))
    with pytest.raises(PipelineError, match=f"the {split} split has no sample with 'category'"):
        train(parts["train"], parts["validation"], CLASSES, options(), 7, CPU)


def test_torch_is_left_as_it_was():
    before = torch.get_rng_state()
    threads = torch.get_num_threads()
    fit(["words"], fusion="none", epochs=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


SCRIPT = """
import sys
from pathlib import Path
import torch
torch.manual_seed(2)
from tests.models.training.test_loop import equal_everywhere, save_to
save_to(Path(sys.argv[1]), equal_everywhere())
"""


def equal_everywhere() -> Trained:
    return fit(["pixels", "words"], fusion="attention", epochs=3)


def save_to(folder, trained: Trained) -> None:
    features = ["pixels", "words"]
    sets = split_of(WORLD, "test", {name: SETS[name] for name in features}).sets
    save_model(folder, trained, sets, CLASSES, options(features=features), {"made_by": {}})


def test_equal_bytes_in_any_process(tmp_path):
    here, other = tmp_path / "here", tmp_path / "other"
    here.mkdir()
    other.mkdir()
    environment = {**os.environ, "PYTHONHASHSEED": "2", "OMP_NUM_THREADS": "2"}
    subprocess.run([sys.executable, "-c", SCRIPT, other], check=True, env=environment)
    save_to(here, equal_everywhere())
    made = [
        {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        for folder in (here, other)
    ]
    assert made[0] == made[1]
    assert Path("model.safetensors") in made[0]


def test_the_seed_counts():
    features = ["words"]
    training, validation = (
        split_of(WORLD, name, {"words": "text"}) for name in ("train", "validation")
    )
    chosen = options(features=features, fusion="none", epochs=1)
    one, other = (train(training, validation, CLASSES, chosen, s, CPU) for s in (1, 2))
    assert one.curves != other.curves


def test_a_saved_model_predicts_the_same(tmp_path):
    trained = fit(["pixels", "words"], epochs=2)
    save_to(tmp_path, trained)
    model = load_model(tmp_path)
    test = split_of(WORLD, "test", {"pixels": "image", "words": "text"})
    before = predict(trained.network, test, trained.priors)
    after = predict(model.network, test, model.priors)
    assert model.classes == CLASSES
    for task in TASKS:
        np.testing.assert_array_equal(before[task], after[task])


@pytest.mark.parametrize("accumulate", [2, 32])
def test_pieces_of_a_batch_teach_what_the_whole_does(accumulate):
    tower = {"hidden": 16, "width": 8, "dropout": 0.0}
    still = {"tower": tower, "fusion_options": {"dropout": 0.0}, "epochs": 3}
    whole, cut = (fit(list(SETS), **still, accumulate=n) for n in (1, accumulate))
    for mine, theirs in zip(cut.curves, whole.curves, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-3, abs=1e-3)


def test_the_mean_of_the_weights_is_what_is_validated_and_kept():
    trained = fit(list(SETS), average=0.95, epochs=10)
    plain = fit(list(SETS), epochs=10)
    losses = [f"train/{task}/loss" for task in CLASSES]
    assert [trained.curves[i][name] for i in range(len(plain.curves)) for name in losses] == [
        plain.curves[i][name] for i in range(len(plain.curves)) for name in losses
    ]
    assert trained.curves[0]["validation/score"] != plain.curves[0]["validation/score"]
    prediction = predict(trained.network, split_of(WORLD, "validation"), trained.priors)
    truth = split_of(WORLD, "validation").targets["category"]
    kept = scores(truth, prediction["category"].argmax(1))["macro_f1"]
    assert kept == pytest.approx(trained.curves[trained.best_epoch]["validation/category/macro_f1"])


def test_bfloat16_learns_too():
    assert measure(fit(list(SETS), precision="bfloat16"), list(SETS)) > 0.5


def test_what_was_spent_is_told():
    spent = fit(["words"], fusion="none", epochs=2).spent
    assert 0 < spent["data_wait"] < 1
    assert spent["examples_per_second"] > 0
    assert spent["resumed"] == 0


def test_epochs_are_told_at_intervals_and_at_the_end(caplog, monkeypatch):
    monkeypatch.setattr("pipeline.models.training.loop.LINE_SECONDS", 0.0)
    with caplog.at_level("INFO", "pipeline.models.training.loop"):
        fit(list(SETS), epochs=2)
    told = [record.getMessage() for record in caplog.records]
    assert [one.split(":")[0] for one in told] == ["epoch 1 of 2", "epoch 2 of 2", "epoch 2 of 2"]
    assert "train loss category " in told[0]
    caplog.clear()
    monkeypatch.setattr("pipeline.models.training.loop.LINE_SECONDS", 1e9)
    with caplog.at_level("INFO", "pipeline.models.training.loop"):
        fit(list(SETS), epochs=2)
    assert len(caplog.records) == 1
