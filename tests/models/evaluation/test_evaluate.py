from __future__ import annotations

import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn import metrics as sk

from pipeline.core.schemas import predictions_schema
from pipeline.models.evaluation import figure_files
from pipeline.models.evaluation.evaluate import Split, evaluate
from pipeline.models.evaluation.options import EvaluationOptions
from pipeline.models.evaluation.results import write_evaluation
from pipeline.models.evaluation.subsets import all_subsets
from pipeline.models.examples import Examples
from pipeline.models.prediction import predict
from pipeline.models.saving import TrainedModel
from tests.models.synthetic import SETS, TASKS, joined, options, split_of
from tests.models.training.test_loop import CLASSES, WORLD, fit

OPTIONS = EvaluationOptions(resamples=200, group_by=("language",))


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    trained = fit(list(SETS), epochs=10)
    sets = list(split_of(WORLD, "test").sets)
    return TrainedModel(trained.network, sets, options(), CLASSES, trained.priors, {})


@pytest.fixture(scope="module")
def found(model):
    return evaluate("m", model, splits(WORLD), OPTIONS, 7)


def splits(world) -> list[Split]:
    return [
        Split(name, split_of(world, name), {"language": world.targets["language"][rows]})
        for name in ("validation", "test")
        for rows in [world.split == name]
    ]


def rows(table, **where):
    return [row for row in table if all(row[key] == value for key, value in where.items())]


def test_headline_figures_are_scikit_learns(found, model):
    test = split_of(WORLD, "test")
    prediction = predict(model.network, test, model.priors)["category"].argmax(1)
    truth = test.targets["category"]
    figures = found.metrics["category"]["test"]
    assert figures["n"] == len(test)
    assert figures["components"] == len(set(test.component))
    assert figures["accuracy"]["value"] == pytest.approx(sk.accuracy_score(truth, prediction))
    macro = sk.f1_score(truth, prediction, average="macro")
    assert figures["macro_f1"]["value"] == pytest.approx(macro)
    for name in ("accuracy", "macro_f1", "ece", "weighted_recall"):
        assert figures[name]["low"] <= figures[name]["high"]
    assert figures["accuracy"]["low"] < figures["accuracy"]["value"] < figures["accuracy"]["high"]


def test_the_majority_is_the_floor(found):
    floor = found.metrics["category"]["test"]["majority"]
    truth = [row["truth"] for row in rows(found.confusion, task="category")]
    shares = [truth.count(name) / len(truth) for name in set(truth)]
    assert floor["accuracy"] in [pytest.approx(share) for share in shares]
    assert floor["macro_f1"] < floor["accuracy"]


def test_predictions_cover_every_sample_and_task(found):
    held_out = (WORLD.split != "train").sum()
    assert len(found.predictions) == held_out * len(TASKS)
    for row in found.predictions[:20]:
        classes = CLASSES[row["task"]]
        assert row["prediction"] == classes[int(np.argmax(row["probabilities"]))]
        assert sum(row["probabilities"]) == pytest.approx(1, abs=1e-5)
        i = WORLD.sample_ids.index(row["sample_id"])
        assert row["truth"] == WORLD.targets[row["task"]][i]
        there = [modality for name, modality in SETS.items() if WORLD.present[name][i]]
        assert row["present"] == sorted(there)


def test_tables_agree_with_the_headline(found):
    for task in TASKS:
        figures = found.metrics[task]["test"]
        here = rows(found.confusion, task=task)
        right = np.mean([row["truth"] == row["prediction"] for row in here])
        assert right == pytest.approx(figures["accuracy"]["value"])
        per_class = rows(found.per_class, task=task, split="test")
        assert np.mean([r["f1"] for r in per_class if r["support"]]) == pytest.approx(
            figures["macro_f1"]["value"]
        )
        groups = rows(found.groups, task=task, split="test", attribute="language")
        assert sum(row["n"] for row in groups) == figures["n"]
        bins = rows(found.calibration, task=task, split="test")
        assert len(bins) == 15
        gap = sum(r["n"] * abs(r["accuracy"] - r["confidence"]) for r in bins if r["n"])
        assert gap / figures["n"] == pytest.approx(figures["ece"]["value"])


def test_every_subset_of_modalities_is_measured(found):
    names = {"audio", "image", "text", "audio+image", "audio+text", "image+text"}
    masked = rows(found.subsets, task="category", split="test", kind="masked")
    assert {row["subset"] for row in masked} == names | {"audio+image+text"}
    order = ["+".join(subset) for subset in all_subsets(("audio", "image", "text"))]
    assert [row["subset"] for row in masked] == order[1:]
    complete = np.all([has[WORLD.split == "test"] for has in WORLD.present.values()], axis=0)
    assert {row["n"] for row in masked} == {complete.sum()}
    natural = rows(found.subsets, task="category", split="test", kind="natural")
    assert sum(row["n"] for row in natural) == found.metrics["category"]["test"]["n"]
    unmasked = rows(masked, subset="audio+image+text")[0]
    as_they_are = rows(natural, subset="audio+image+text")[0]
    assert unmasked["accuracy"] == pytest.approx(as_they_are["accuracy"])


def test_masking_hides(found):
    by_name = {
        row["subset"]: row["accuracy"]
        for row in rows(found.subsets, task="language", split="test", kind="masked")
    }
    assert by_name["audio"] > by_name["image+text"] + 0.2


def test_what_the_model_cannot_see_is_answered_and_counted(model):
    world = joined()
    for has in world.present.values():
        has[:10] = False
    world.split[:10] = "test"
    result = evaluate("m", model, splits(world), OPTIONS, 7)
    figures = result.metrics["language"]["test"]
    assert figures["unseen"] == 10
    assert figures["n"] == (world.split == "test").sum()
    blind = [row for row in result.predictions if not row["present"]]
    assert len(blind) == 20
    natural = rows(result.subsets, task="language", split="test", kind="natural")
    assert rows(natural, subset="none")[0]["n"] == 10


def test_null_targets_are_predicted_but_not_measured(model):
    world = joined()
    world.targets["category"][world.split == "validation"] = None
    kept = split_of(joined(), "test").targets
    result = evaluate("m", model, splits(world), OPTIONS, 7)
    assert result.metrics["category"]["validation"]["n"] == 0
    assert "accuracy" not in result.metrics["category"]["validation"]
    assert result.metrics["category"]["test"]["n"] == len(kept["category"])
    truths = {r["truth"] for r in result.predictions
              if (r["task"], r["split"]) == ("category", "validation")}  # fmt: skip
    assert truths == {None}


def test_an_empty_split_has_no_figures(model):
    empty = split_of(WORLD, "test").take(np.zeros(0, int))
    assert isinstance(empty, Examples)
    result = evaluate("m", model, [Split("test", empty, {})], OPTIONS, 7)
    assert result.metrics["category"]["test"]["n"] == 0
    assert result.predictions == []


def test_files_have_their_columns_and_equal_bytes(found, model, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        again = found if name == "one" else evaluate("m", model, splits(WORLD), OPTIONS, 7)
        write_evaluation(tmp_path / name, "category", again)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["calibration.csv", "confusion.csv", "contributions.csv", "figures.csv",
                     "groups.csv",
                     "metrics.json", "per_class.csv", "predictions.parquet", "robustness.csv",
                     "subsets.csv"]  # fmt: skip
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert figure_files.read_figures(tmp_path / "one") == found.metrics
    metrics = json.loads((tmp_path / "one" / "metrics.json").read_text())
    assert [*metrics["validation"]] == ["category"]
    assert [*metrics["test"]] == ["category", "language"]
    assert [*metrics["test"]["category"]] == ["macro_f1"]
    for split, tasks in metrics.items():
        for task, figures in tasks.items():
            whole = found.metrics[task][split]
            assert figures == {name: whole[name]["value"] for name in figures}
    table = pq.read_table(tmp_path / "one" / "predictions.parquet")
    assert table.schema.equals(predictions_schema())
    with (tmp_path / "one" / "confusion.csv").open() as file:
        assert next(csv.reader(file)) == ["task", "truth", "prediction"]


def test_figures_over_few_components_have_no_interval(model):
    test = split_of(WORLD, "test")
    few = np.isin(test.component, np.unique(test.component)[:4])
    some = evaluate("m", model, [Split("test", test.take(few), {})], OPTIONS, 7)
    figures = some.metrics["category"]["test"]
    assert figures["components"] == 4
    assert figures["macro_f1"].keys() == {"value"}
    enough = np.isin(test.component, np.unique(test.component)[:5])
    figures = evaluate("m", model, [Split("test", test.take(enough), {})], OPTIONS, 7).metrics
    assert figures["category"]["test"]["macro_f1"].keys() == {"value", "low", "high"}
