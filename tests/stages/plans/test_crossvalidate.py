"""The stage: a training is a row, so what stands is never trained again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import PipelineError
from pipeline.parts import manifest
from pipeline.stages.plans.crossvalidate import plan
from tests.models.synthetic import options
from tests.stages.plans.crossvalidated import MODELS, params, store, train
from tests.stages.plans.stored import params as some

OUT = Path("data/crossvalidation")


def files(model: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (OUT / model).iterdir()}


def computed(given: object) -> dict[str, int]:
    return {name: summary.computed_rows for name, summary in train(given).items()}


def test_every_fold_and_seed_is_trained_once(inside: Path) -> None:
    world = store(inside / "data")
    assert computed(params()) == {"image": 4, "early": 4}
    rows = manifest.read(OUT / "early").to_pylist()
    assert {(row["seed"], row["fold"]) for row in rows} == {(s, f) for s in (0, 1) for f in (0, 1)}
    for seed in (0, 1):
        judged = [one for row in rows if row["seed"] == seed for one in row["sample_id"]]
        assert sorted(judged) == sorted(world.sample_ids)
    for row in rows:
        assert row["shown"][-1] == "audio+image+text"
        assert len(row["shown"]) == 7
        probabilities = np.reshape(row["probabilities"], (7, len(row["sample_id"]), 8))
        assert np.allclose(probabilities.sum(2), 1, atol=1e-4)
        inner = set(row["inner_sample_id"])
        assert inner
        assert not inner & set(row["sample_id"])
        assert len(row["inner_predictions"]) == len(row["inner_sample_id"])
        assert {*row["inner_predictions"]} <= {*range(len(row["classes"]))}
        assert len({*row["inner_predictions"]}) > 1
        said = np.reshape(row["predictions"], probabilities.shape[:2])
        assert (said == probabilities.argmax(2)).all()  # of many classes the likeliest is answered
        assert not row["diverged"]
    before = files("early")
    assert computed(params()) == {"image": 0, "early": 0}
    assert files("early") == before


def test_one_more_seed_trains_that_seed_alone(inside: Path) -> None:
    store(inside / "data")
    train(params())
    before = files("image")
    assert computed(params(seeds=3)) == {"image": 2, "early": 2}
    after = files("image")
    assert all(after[name] == before[name] for name in before if name.endswith(".parquet"))


def test_a_changed_model_is_trained_alone(inside: Path) -> None:
    store(inside / "data")
    train(params())
    changed = {**MODELS, "image": options(features=["pixels"], fusion="none", epochs=3)}
    assert computed(params(models=changed)) == {"image": 4, "early": 0}


def test_other_folds_train_everything_anew(inside: Path) -> None:
    store(inside / "data")
    train(params())
    assert computed(params(folds=3)) == {"image": 6, "early": 6}


@pytest.mark.slow
def test_as_many_workers_as_one_likes_give_the_same_bytes(inside: Path) -> None:
    store(inside / "data")
    found = []
    for workers in (1, 2):
        train(params(workers))
        found.append({name: files(name) for name in MODELS})
        for name in MODELS:
            for path in (OUT / name).iterdir():
                path.unlink()
    assert found[0] == found[1]


def test_without_a_comparison_there_is_nothing_to_train(inside: Path) -> None:
    with pytest.raises(PipelineError, match="no section `comparison`"):
        plan(some({}, comparison=None), "image")
