from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.models.evaluation.options import EvaluationOptions
from pipeline.models.evaluation.results import COLUMNS
from pipeline.models.explanation.contributions import contributions
from pipeline.models.explanation.weights import modality_weights
from pipeline.models.prediction import predict
from pipeline.models.saving import TrainedModel
from tests.models import world as worlds
from tests.models.synthetic import SETS, TASKS, options, split_of
from tests.models.training.test_loop import CLASSES, WORLD, fit

TEST = split_of(WORLD, "test")
OPTIONS = EvaluationOptions(resamples=100, draws=2)


def model_of(fusion: str, epochs: int = 10) -> TrainedModel:
    chosen = options(fusion=fusion, tower={"hidden": 16, "width": 8, "dropout": 0.1})
    trained = fit(list(SETS), fusion=fusion, epochs=epochs)
    return TrainedModel(trained.network, list(TEST.sets), chosen, CLASSES, trained.priors, {})


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    return model_of("gated")


@pytest.fixture(scope="module")
def rows(model):
    return contributions(model, TEST, OPTIONS, 7)


def some(rows, **where):
    return [row for row in rows if all(row[key] == value for key, value in where.items())]


def test_rows_have_the_columns_of_their_table_and_equal_seeds_give_equal_rows(rows, model):
    assert all(set(row) == set(COLUMNS["contributions"]) for row in rows)
    assert contributions(model, TEST, OPTIONS, 7) == rows


def test_shapley_values_of_the_score_add_up_to_what_the_model_has_over_the_prior(rows, model):
    for task in TASKS:
        result = some(rows, task=task, measure="shapley", level="overall")
        assert {row["modality"] for row in result} == set(TEST.modalities)
        assert all(row["low"] <= row["value"] <= row["high"] for row in result)
    from sklearn.metrics import f1_score

    message = predict(model.network, TEST, model.priors)["category"].argmax(1)
    truth = TEST.targets["category"]
    blind = np.full(len(truth), model.priors["category"].argmax())
    gain = f1_score(truth, message, average="macro") - f1_score(truth, blind, average="macro")
    result = some(rows, task="category", measure="shapley", level="overall")
    assert sum(row["value"] for row in result) == pytest.approx(gain)


def test_a_samples_values_add_up_to_its_log_probability_over_the_prior(rows, model):
    probabilities = predict(model.network, TEST, model.priors)["category"]
    for n, sample in enumerate(TEST.sample_ids[:20]):
        result = some(rows, task="category", level="sample", name=str(sample))
        has = TEST.has[n]
        assert [row["modality"] for row in result] == list(np.array(TEST.modalities)[has])
        k = probabilities[n].argmax()
        gain = np.log(probabilities[n, k]) - np.log(model.priors["category"][k])
        assert sum(row["value"] for row in result) == pytest.approx(gain, abs=1e-5)
    assert some(rows, task="language", level="sample") == []


@pytest.mark.parametrize("task", ["alive", "size"])
def test_the_answer_that_is_explained_is_the_one_that_was_given(task):
    """Below a threshold, or beside the median, the likeliest class is not what was answered."""
    chosen = worlds.chosen({task: worlds.TASKS[task]}, epochs=4)
    trained, result, classes = worlds.fit(worlds.world(subjects=60), chosen)
    test = result["test"]
    network = trained.network
    network.decodings[task] = replace(network.decodings[task], temperature=3.0, thresholds=(0.25,))
    model = TrainedModel(network, list(test.sets), chosen, classes, trained.priors, {})
    probabilities = predict(network, test, model.priors)[task]
    message = network.decodings[task].predict(probabilities)
    assert (message != probabilities.argmax(1)).any()
    rows = contributions(model, test, EvaluationOptions(resamples=100, draws=0), 7)
    for n, sample in enumerate(test.sample_ids):
        values = [row["value"] for row in some(rows, level="sample", name=str(sample))]
        gain = np.log(probabilities[n, message[n]]) - np.log(model.priors[task][message[n]])
        assert sum(values) == pytest.approx(gain, abs=1e-5)


def test_the_modality_that_knows_the_language_counts_for_it(rows):
    for measure in ("shapley", "permutation"):
        overall = some(rows, task="language", measure=measure, level="overall")
        result = {row["modality"]: row["value"] for row in overall}
        assert max(result, key=result.get) == "audio"
        assert result["audio"] > result["image"] + 0.1
    classes = some(rows, task="language", level="class", modality="audio")
    assert {row["name"] for row in classes} == set(CLASSES["language"])


@pytest.mark.parametrize("fusion", ["gated", "gmu", "weighted_sum", "attention", "learned_average"])
def test_weights_are_shared_out_over_what_is_present(fusion):
    result = modality_weights(model_of(fusion, epochs=1), TEST)
    assert set(result) == set(TASKS)
    for each in result.values():
        np.testing.assert_allclose(each.sum(1), TEST.seen.astype(float), atol=1e-5)
        assert not each[~TEST.has].any()


def test_other_fusions_have_no_weights(rows):
    assert modality_weights(model_of("concatenation", epochs=1), TEST) == {}
    assert len(some(rows, measure="weight", task="category")) == 3


def test_attention_weights_are_those_that_the_reader_uses():
    """One head and one layer: the reader's attention times the values is what it takes."""
    import torch

    from pipeline.models.fusion.attention import Options, build

    torch.manual_seed(0)
    fusion = build(3, 8, Options(heads=1, dropout=0.0)).eval()
    tokens = torch.randn(4, 3, 8)
    present = torch.tensor([[True, True, True], [True, False, True], [False, True, False]] * 2)[:4]
    with torch.no_grad():
        shares = fusion.set_weights(tokens, present)
        layer = fusion.encoder.layers[0]
        sequence, absent = fusion.sequence(tokens, present)
        q, k, _ = layer.self_attn.in_proj_weight.chunk(3)
        bq, bk, _ = layer.self_attn.in_proj_bias.chunk(3)
        normed = layer.norm1(sequence)
        scores = (normed[:, :1] @ q.T + bq) @ (normed @ k.T + bk).transpose(1, 2) / 8**0.5
        expected = scores[:, 0].masked_fill(absent, -torch.inf)[:, 1:].softmax(1)
    torch.testing.assert_close(shares, expected)
