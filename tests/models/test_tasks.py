"""What every kind of target must do, and what each does by its formula."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from pipeline.core import registry
from pipeline.core.errors import PipelineError
from pipeline.models.decoding import Decoding, fit_decoding, negative_log_likelihood
from pipeline.models.evaluation.answers import known_answers
from pipeline.models.evaluation.evaluate import Split, evaluate
from pipeline.models.evaluation.options import EvaluationOptions
from pipeline.models.evaluation.results import write_evaluation
from pipeline.models.examples import classes_of
from pipeline.models.prediction import predict
from pipeline.models.saving import TrainedModel, load_model, save_model
from pipeline.models.targets import has_target
from pipeline.models.task_options import TaskOptions
from pipeline.models.tasks import FOLDER, _cross_entropy, task_of
from pipeline.models.tasks._thresholds import best_threshold
from pipeline.models.training.batches import Tensors
from pipeline.models.training.losses import Combination, balanced_weights, loss
from tests.models import world as worlds
from tests.models.world import TASKS, chosen

WORLD = worlds.world()
KINDS = {
    "multiclass": 4,
    "binary": 2,
    "multilabel": 3,
    "ordinal": 4,
    "regression": 0,
    "sentiment": 0,
}


def truth(kind: str, n: int) -> torch.Tensor:
    """Targets that follow from the first column of `seen`; the last is missing."""
    x = seen(n)[:, 0].contiguous()
    if not KINDS[kind]:
        target = x.clone()
        target[-1] = math.nan
    elif kind == "multilabel":
        target = torch.stack([x > 0, x > 0.5, x < 0], 1).float()
        target[-1] = math.nan
    else:
        target = (
            (x > 0).long()
            if kind == "binary"
            else torch.bucketize(x, torch.tensor([-0.7, 0.0, 0.7]))
        )
        target[-1] = -1
    return target


def seen(n: int) -> torch.Tensor:
    return torch.randn(n, 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def fitted():
    return worlds.fit(WORLD, chosen())


def test_the_kinds_are_the_files() -> None:
    """A text is no number of logits: tests/models/test_text.py has it."""
    assert registry.names(FOLDER) == sorted([*KINDS, "text"])


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_said_is_read_again_and_its_certainty_is_a_probability(kind) -> None:
    task = task_of(kind)
    with torch.no_grad():
        answer = Decoding(kind).probabilities(task.layer(3, KINDS[kind], TaskOptions())(seen(20)))
    names = [str(k) for k in range(KINDS[kind])]
    decision = task.decide(answer, (0.5,))
    again = task.encode([task.say(one, names) for one in decision], names)
    np.testing.assert_allclose(again, decision, rtol=1e-6)
    assert task.confidence(answer, decision).shape == task.correct(decision, decision).shape
    sure = task.certainty(answer, decision)
    assert sure.shape == (20,)
    assert ((sure >= 0) & (sure <= 1)).all()


def test_no_two_kinds_of_figure_have_one_name() -> None:
    """Whether less of it is better is asked of the name alone."""
    every = [pair for kind in registry.names(FOLDER) for pair in task_of(kind).FIGURES.items()]
    assert len(dict(every)) == len(set(every))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("focal", [0.0, 2.0])
@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_falls_and_a_missing_target_teaches_nothing(kind, focal, smoothing) -> None:
    torch.manual_seed(0)
    task = TaskOptions.model_validate({"kind": kind, "focal": focal})
    head = registry.load(FOLDER, kind).layer(3, KINDS[kind], TaskOptions())
    target = truth(kind, 64)
    weight = torch.from_numpy(
        balanced_weights(target.numpy(), np.arange(64).astype(str), KINDS[kind], task)
    )
    optimizer = torch.optim.Adam(head.parameters(), 0.05)
    course = []
    for _ in range(60):
        out = head(seen(64))
        out.retain_grad()
        result = loss({"t": out}, {"t": target}, {"t": weight}, {"t": task}, smoothing)["t"]
        optimizer.zero_grad()
        result.backward()
        assert out.grad is not None
        assert out.grad[:-1].any()
        assert not out.grad[-1].any()
        assert out.grad.isfinite().all()
        optimizer.step()
        course.append(result.item())
    assert course[-1] < 0.8 * course[0]


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_probabilities_or_values(kind) -> None:
    head = registry.load(FOLDER, kind).layer(3, KINDS[kind], TaskOptions())
    with torch.no_grad():
        answer = Decoding(kind, temperature=0.3).probabilities(20 * head(seen(50)))
    assert answer.shape == (50, KINDS[kind] or 1)
    assert answer.dtype == np.float32
    if KINDS[kind]:
        assert ((answer >= 0) & (answer <= 1)).all()
    if kind in ("multiclass", "binary", "ordinal"):
        np.testing.assert_allclose(answer.sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_without_targets_has_no_loss(kind) -> None:
    target = truth(kind, 4)
    target[:] = target[-1].clone()
    out = registry.load(FOLDER, kind).layer(3, KINDS[kind], TaskOptions())(seen(4))
    given = balanced_weights(target.numpy(), np.array(list("abcd")), KINDS[kind], TaskOptions())
    result = loss({"t": out}, {"t": target}, {"t": torch.from_numpy(given)},
                 {"t": TaskOptions.model_validate({"kind": kind})}, 0.1)  # fmt: skip
    assert result["t"].item() == 0


def test_cross_entropies_by_their_formulas() -> None:
    out = torch.randn(20, 4, generator=torch.Generator().manual_seed(1)).double()
    target = torch.arange(20) % 4
    p = np.exp(out.numpy()) / np.exp(out.numpy()).sum(1, keepdims=True)
    right = p[np.arange(20), target]
    plain = _cross_entropy.of_classes(out, target, 0.0, 0.0)
    assert plain.mean().item() == pytest.approx(sk.log_loss(target, p))
    focal = _cross_entropy.of_classes(out, target, 0.0, 2.0)
    np.testing.assert_allclose(focal, -((1 - right) ** 2) * np.log(right), rtol=1e-6)
    smooth = _cross_entropy.of_classes(out, target, 0.1, 0.0)
    np.testing.assert_allclose(smooth, -(0.9 * np.log(right) + 0.025 * np.log(p).sum(1)))
    bits = (out > 0.3).double()
    q = 1 / (1 + np.exp(-out.numpy()))
    of_truth = np.where(bits > 0, q, 1 - q)
    np.testing.assert_allclose(_cross_entropy.of_bits(out, bits, 0.0, 0.0), -np.log(of_truth))
    expected = -((1 - of_truth) ** 2) * np.log(of_truth)
    np.testing.assert_allclose(_cross_entropy.of_bits(out, bits, 0.0, 2.0), expected, rtol=1e-6)


def test_ordinal_cut_points_are_ordered_and_the_answer_is_the_median() -> None:
    torch.manual_seed(0)
    kind = registry.load(FOLDER, "ordinal")
    head = kind.layer(3, 5, TaskOptions())
    torch.nn.init.normal_(head.steps, std=3)
    with torch.no_grad():
        out = head(seen(40))
    assert (out.diff(dim=1) < 0).all()
    above = out.sigmoid().numpy()
    answer = kind.answer(out).numpy()
    np.testing.assert_allclose(answer[:, 2:].sum(1), above[:, 1], rtol=1e-5)
    assert (kind.decide(answer, ()) == (above > 0.5).sum(1)).all()
    target = torch.arange(40) % 5
    bits = (target[:, None] > torch.arange(4)).numpy()
    by_hand = -np.log(np.where(bits, above, 1 - above)).sum(1)
    np.testing.assert_allclose(kind.loss(out, target, 0.0, 0.0), by_hand, rtol=1e-4)


def test_kappa_counts_ranks_that_do_not_occur() -> None:
    truth, message = np.array([0, 0, 3, 3, 1]), np.array([0, 1, 3, 1, 1])
    result = registry.load(FOLDER, "ordinal").figures(truth, np.zeros((5, 4)), message)
    observed = ((truth - message) ** 2).mean()
    chance = ((truth[:, None] - message) ** 2).mean()
    assert result["kappa"] == pytest.approx(1 - observed / chance)
    assert result["rank_mae"] == pytest.approx(3 / 5)


def test_a_number_has_hubers_loss() -> None:
    result = registry.load(FOLDER, "regression").loss(
        torch.tensor([[0.5], [3.0]]), torch.tensor([0.0, 0.0]), 0.0, 0.0
    )
    assert result.tolist() == pytest.approx([0.125, 2.5])


def test_sentiment_has_the_figures_of_the_field() -> None:
    """Of which rounding, and what becomes of neutral truths, are settled by convention."""
    truth = np.array([-2, -1, -0.5, 0, 0, 0.5, 1, 1.5, 2], np.float32)
    answer = np.array([-2.6, 0.2, -0.4, -0.1, 0.7, 0.6, 1.4, -0.2, 3.0], np.float32)
    result = task_of("sentiment").figures(truth, answer[:, None], answer)
    assert result["acc2"] == pytest.approx(5 / 7)
    felt = truth != 0
    weighted = sk.f1_score((truth > 0)[felt], (answer > 0)[felt], average="weighted")
    assert result["acc2_f1"] == pytest.approx(weighted)
    assert result["acc2_nonnegative"] == pytest.approx(6 / 9)
    assert result["acc3"] == pytest.approx(5 / 9)  # wrong: -1, 0.7, 0.6, -0.2
    assert result["acc5"] == pytest.approx(5 / 9)
    assert result["mae"] == pytest.approx(np.abs(truth - answer).mean())
    assert result["pearson"] == pytest.approx(np.corrcoef(truth, answer)[0, 1])
    same = task_of("sentiment").figures(truth, np.zeros((9, 1)), np.zeros(9))
    assert "pearson" not in same
    assert same["acc3"] == pytest.approx(4 / 9)
    assert "acc2" not in task_of("sentiment").figures(np.zeros(2), np.ones((2, 1)), np.ones(2))


def test_labels_weigh_the_same_present_and_absent() -> None:
    targets = np.array([[1, 0], [0, 0], [0, 0], [np.nan, np.nan]], np.float32)
    result = balanced_weights(targets, np.array(list("abcd")), 2, TaskOptions(kind="multilabel"))
    np.testing.assert_allclose(result, [[1.5, 1], [0.75, 1], [0.75, 1], [0, 0]])


@pytest.mark.parametrize(
    ("kind", "order", "values", "expected"),
    [
        ("ordinal", [], ["10", "9", None, "1"], ["1", "9", "10"]),
        ("ordinal", ["low", "mid", "high"], ["high", "low"], ["low", "mid", "high"]),
        ("binary", [], ["yes", "no"], ["no", "yes"]),
        ("multiclass", [], ["9", "10"], ["10", "9"]),
        ("multilabel", [], ["a|b", '["c", "a"]', "|", None, " d "], ["a", "b", "c", "d"]),
        ("regression", [], [1.0, 2.0], []),
    ],
)
def test_classes_and_their_order(kind, order, values, expected) -> None:
    some = replace(WORLD, targets={"t": np.array(values, object)})
    task = TaskOptions.model_validate({"kind": kind, "order": order})
    assert classes_of(some, {"t": task}) == {"t": expected}


def test_cells_become_arrays() -> None:
    labels = registry.load(FOLDER, "multilabel")
    result = labels.encode(["b|a", "|", None, '["b"]', "[]"], ["a", "b"])
    np.testing.assert_array_equal(result, [[1, 1], [0, 0], [np.nan, np.nan], [0, 1], [0, 0]])
    assert labels.say(result[0], ["a", "b"]) == "a|b"
    assert labels.say(result[1], ["a", "b"]) == "|"
    numbers = registry.load(FOLDER, "regression").encode([1, None, np.nan, np.inf, 1e300, 2.5], [])
    np.testing.assert_array_equal(numbers, [1, *[np.nan] * 4, 2.5])


@pytest.mark.parametrize(
    ("kind", "order", "values", "said"),
    [
        ("binary", [], ["a", "b", "c"], "tasks.t: a binary target has two classes, not 3"),
        ("ordinal", ["a"], ["a", "b"], "tasks.t: `order` lacks what occurs: b"),
        ("regression", ["a"], [1.0], "tasks.t: `order` is of classes"),
        ("multilabel", [], [None], "no sample has the target 't'"),
    ],
)
def test_wrong_classes_are_said(kind, order, values, said) -> None:
    some = replace(WORLD, targets={"t": np.array(values, object)})
    with pytest.raises(PipelineError, match=said):
        classes_of(some, {"t": TaskOptions.model_validate({"kind": kind, "order": order})})


@pytest.mark.parametrize("task", TASKS)
def test_a_task_without_targets_in_train_is_named(task) -> None:
    some = replace(WORLD, targets={name: values.copy() for name, values in WORLD.targets.items()})
    some.targets[task][WORLD.split == "train"] = np.nan if task == "weight" else None
    with pytest.raises(PipelineError, match=f"train split has no sample with '{task}'"):
        worlds.fit(some, chosen())


@pytest.mark.parametrize("task", TASKS)
def test_a_target_that_never_varies_in_train_is_named(task) -> None:
    some = replace(WORLD, targets={name: values.copy() for name, values in WORLD.targets.items()})
    values = some.targets[task]
    there = np.array([value is not None and value == value for value in values])
    first = values[there & (WORLD.split == "train")][0]
    values[there & (WORLD.split == "train")] = first
    with pytest.raises(PipelineError, match=f"the same '{task}': there is nothing to tell apart"):
        worlds.fit(some, chosen())


def test_every_kind_at_once_beats_the_trivial_answer(fitted) -> None:
    trained, result, classes = fitted
    test = result["test"]
    predicted = predict(trained.network, test, trained.priors)
    given = {
        task: known_answers(test, task, predicted[task], trained.network.decodings[task])
        for task in TASKS
    }
    for task in ("sort", "alive", "traits", "size"):
        majority = trained.priors[task] >= 0.5 if task == "traits" else None
        truths = given[task].truth
        trivial = (
            np.broadcast_to(majority, truths.shape) if majority is not None
            else np.full(len(truths), trained.priors[task].argmax())
        )  # fmt: skip
        floor = sk.f1_score(truths, trivial, average="macro", zero_division=0)
        assert sk.f1_score(truths, given[task].prediction, average="macro") > floor + 0.25, task
    assert sk.r2_score(given["weight"].truth, given["weight"].prediction) > 0.7
    assert 250 < given["weight"].prediction.mean() < 350
    assert set(classes) == set(TASKS)


def test_a_temperature_lowers_the_likelihood_cost_on_validation(fitted) -> None:
    trained, result, _ = fitted
    validation = result["validation"]
    tensors = Tensors(validation, torch.device("cpu"))
    out = trained.network.predict_logits(tensors, validation.present)
    for task in ("sort", "alive", "traits", "size"):
        reading = trained.network.decodings[task]
        targets = validation.targets[task]
        there = has_target(targets)

        def cost(temperature: float, task=task, targets=targets, there=there) -> float:
            answer = Decoding(TASKS[task]["kind"], temperature).probabilities(out[task])[there]
            return negative_log_likelihood(answer, targets[there], np.ones(there.sum()))

        best = reading.temperature
        assert best != 1.0
        assert cost(best) < min(cost(1.0), cost(0.9 * best), cost(1.1 * best)) + 1e-6
    assert trained.network.decodings["weight"].temperature == 1.0


def test_a_temperature_that_was_planted_is_found() -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(size=(4000, 3))
    p = np.exp(true) / np.exp(true).sum(1, keepdims=True)
    truth = np.array([rng.choice(3, p=row) for row in p])
    result = fit_decoding(Decoding(), torch.from_numpy(3 * true), truth, np.ones(4000))
    assert result.temperature == pytest.approx(3, rel=0.1)
    assert (
        fit_decoding(Decoding(), torch.from_numpy(true), np.full(4000, -1), np.ones(4000))
        == Decoding()
    )
    mixed = np.concatenate([3 * true[:2000], true[2000:]])
    half = np.repeat([0.01, 1.0], 2000)
    assert fit_decoding(Decoding(), torch.from_numpy(mixed), truth, half).temperature < 1.15


def test_a_threshold_is_of_the_greatest_f1() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random(300) < 0.2).astype(int)
    probability = (0.1 + 0.2 * truth + 0.15 * rng.random(300)).astype(np.float32)
    result = best_threshold(probability, truth)
    best = sk.f1_score(truth, probability >= result)
    assert best > 0.95 > sk.f1_score(truth, probability >= 0.5, zero_division=0)
    tried = [sk.f1_score(truth, probability >= t, zero_division=0) for t in np.unique(probability)]
    assert best == pytest.approx(max(tried))
    assert best_threshold(probability, np.zeros(300)) == 0.5


def test_a_noisy_task_gets_the_smaller_learned_weight() -> None:
    some = replace(WORLD, targets={name: values.copy() for name, values in WORLD.targets.items()})
    rng = np.random.default_rng(0)
    some.targets["noise"] = rng.choice(np.array(["a", "b", "c", "d"], object), len(WORLD.split))
    tasks = {"noise": {"kind": "multiclass"}, "sort": TASKS["sort"]}
    selected = chosen(tasks, weighting="uncertainty", epochs=25, patience=25)
    trained, _, _ = worlds.fit(some, selected)
    last = trained.curves[-1]
    assert last["train/noise/weight"] < 0.9
    assert last["train/sort/weight"] > 1.1
    assert "train/sort/weight" not in worlds.fit(some, chosen(tasks, epochs=1))[0].curves[0]


def test_uncertainty_by_its_formula() -> None:
    combination = Combination(chosen({"sort": {}, "size": {}}, weighting="uncertainty"))
    assert combination.log_variance is not None
    combination.log_variance.data = torch.tensor([0.5, -1.0])
    losses = {"sort": torch.tensor(2.0), "size": torch.tensor(3.0)}
    by_hand = math.exp(-0.5) * 2 + 0.25 + math.e * 3 - 0.5
    assert combination(losses).item() == pytest.approx(by_hand)
    combination({"sort": torch.tensor(0.0), "size": torch.tensor(3.0)}).backward()
    assert combination.log_variance.grad is not None
    assert combination.log_variance.grad[0] == 0
    assert Combination(chosen())({task: torch.tensor(1.0) for task in TASKS}).item() == 5


def test_what_was_fitted_is_kept_and_measured(fitted, tmp_path) -> None:
    trained, result, classes = fitted
    sets = list(result["test"].sets)
    save_model(tmp_path, trained, sets, classes, chosen(), {"made_by": {}})
    card = json.loads((tmp_path / "model.json").read_text())["tasks"]
    assert len(card["traits"]["thresholds"]) == 3
    assert len(card["alive"]["thresholds"]) == 1
    assert "temperature" in card["size"]
    assert card["weight"]["mean"] == pytest.approx(300, abs=20)
    model = load_model(tmp_path)
    assert model.network.decodings == trained.network.decodings
    before = predict(trained.network, result["test"], trained.priors)
    after = predict(model.network, result["test"], model.priors)
    for task in TASKS:
        np.testing.assert_array_equal(before[task], after[task])
    measured = evaluate("m", model, [Split("test", result["test"], {})],
                        EvaluationOptions(resamples=100), 7)  # fmt: skip
    write_evaluation(tmp_path, "sort", measured)
    check_figures(measured, model, result["test"])


def check_figures(measured, model: TrainedModel, test) -> None:
    """Headline figures of each kind are scikit-learn's, from the predictions that were written."""
    figures = {task: measured.metrics[task]["test"] for task in TASKS}
    for task, named in {
        "alive": ("accuracy", "macro_f1", "f1", "roc_auc", "average_precision", "ece"),
        "traits": ("macro_f1", "micro_f1", "mean_average_precision", "accuracy", "ece"),
        "size": ("macro_f1", "rank_mae", "kappa"),
        "weight": ("mae", "rmse", "r2", "spearman"),
    }.items():
        for name in named:
            figure = figures[task][name]
            assert figure["low"] < figure["value"] < figure["high"] or name == "ece", (task, name)
        json.dumps(figures[task], allow_nan=False)
    assert figures["weight"]["mean"]["r2"] < 0.05 < figures["weight"]["r2"]["value"]
    rows = {t: [r for r in measured.predictions if r["task"] == t and r["truth"]] for t in TASKS}
    message = {
        t: ([r["truth"] for r in rs], [r["prediction"] for r in rs]) for t, rs in rows.items()
    }
    numbers = np.array(message["weight"], float)
    assert figures["weight"]["r2"]["value"] == pytest.approx(sk.r2_score(*numbers))
    ranks = [[worlds.SIZES.index(name) for name in each] for each in message["size"]]
    kappa = sk.cohen_kappa_score(*ranks, weights="quadratic")
    assert figures["size"]["kappa"]["value"] == pytest.approx(kappa)
    bits = [[[t in one.split("|") for t in model.classes["traits"]] for one in each]
            for each in message["traits"]]  # fmt: skip
    micro = sk.f1_score(*bits, average="micro")
    assert figures["traits"]["micro_f1"]["value"] == pytest.approx(micro)
    positive = sk.f1_score(*message["alive"], pos_label="yes")
    assert figures["alive"]["f1"]["value"] == pytest.approx(positive)
    auc = sk.roc_auc_score([t == "yes" for t in message["alive"][0]],
                           [r["probabilities"][1] for r in rows["alive"]])  # fmt: skip
    assert figures["alive"]["roc_auc"]["value"] == pytest.approx(auc)
    assert {r["task"] for r in measured.confusion} == {"sort", "alive", "size"}
    assert {r["task"] for r in measured.calibration} == set(TASKS) - {"weight"}


def test_a_class_that_a_split_lacks_is_measured_over_what_occurs(fitted) -> None:
    trained, result, classes = fitted
    test = result["test"]
    kept = ~(test.targets["alive"] == 1) & ~(test.targets["size"] == 0)
    kept &= ~(test.targets["traits"][:, 0] == 1)
    model = TrainedModel(trained.network, list(test.sets), chosen(), classes, trained.priors, {})
    measured = evaluate("m", model, [Split("test", test.take(kept), {})],
                        EvaluationOptions(resamples=100), 7)  # fmt: skip
    alive = measured.metrics["alive"]["test"]
    assert "roc_auc" not in alive
    assert alive["macro_f1"]["value"] > 0.5
    assert measured.metrics["traits"]["test"]["macro_f1"]["value"] > 0
    json.dumps(measured.metrics, allow_nan=False)
