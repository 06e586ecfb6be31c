"""Blame: a poisoned batch among twenty is named first, and when it landed the curve says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.core.errors import PipelineError
from pipeline.stages.blame import blame
from pipeline.store.join import Joined
from tests.models.synthetic import SETS, joined, options
from tests.stages.plans.stored import params, store_curated, store_features

ROOT = Path("data")
MODEL = options(epochs=3, learning_rate=0.03, batch_size=24, tasks={"category": {}})
PARAMS = params({"m": MODEL}, targets={"category": "multiclass"})


def landed(batches: int, poisoned: int) -> Joined:
    """The world cut into batches by subject, the labels of one of them turned by a class."""
    world = joined()
    subjects = np.unique(world.component, return_inverse=True)[1]
    place = subjects % batches
    category = world.targets["category"].copy()
    wrong = place == poisoned
    category[wrong] = [f"k{(int(each[1:]) + 1) % 8}" for each in category[wrong]]
    return replace(
        world,
        batch=np.array([f"night {i + 1}" for i in place]),
        targets={"category": category},
    )


def store(world: Joined) -> None:
    store_curated(ROOT, world, {"category": "multiclass"})
    for name in SETS:
        store_features(ROOT, name, [joined()])


@pytest.mark.slow
def test_a_poisoned_batch_among_twenty_is_named_first(inside: Path) -> None:
    store(landed(20, poisoned=10))
    calls: list[tuple[int, int]] = []
    blamed = blame(PARAMS, "m", curve=False, progress=lambda *each: calls.append(each))
    assert calls == [(i, 21) for i in range(21)]
    first, *others = blamed.batches
    assert (first.source, first.batch) == ("synthetic", "night 11")
    assert first.p < 0.05 < min(each.p for each in others)
    assert first.agreement < min(each.agreement for each in others)
    assert first.harm == pytest.approx(first.learnt + first.judged)
    assert all(each.low < each.harm < each.high for each in blamed.batches)
    assert [each.harm for each in others] == sorted((e.harm for e in others), reverse=True)
    assert sum(each.samples for each in blamed.batches) == (joined().split == "train").sum()


def test_the_curve_falls_where_it_landed_and_the_command_says_so(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(landed(5, poisoned=4))
    monkeypatch.setattr("pipeline.params.load", lambda: PARAMS)
    done = CliRunner().invoke(app, ["blame", "accuracy", "--json"])
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    harms, curve = rows[:5], rows[5:]
    assert harms[0]["batch"] == "night 5"
    assert [row["batch"] for row in curve] == [f"night {i}" for i in range(1, 6)]
    assert curve[0]["gained"] is None
    assert curve[-1]["gained"] < 0
    assert "accuracy of m on test" in done.stderr
    assert "training 10 of 10" in done.stderr


def test_what_cannot_be_asked_is_said(inside: Path) -> None:
    store(landed(1, poisoned=5))
    with pytest.raises(PipelineError, match="but one batch"):
        blame(PARAMS, "m")
    with pytest.raises(PipelineError, match="unknown model 'x'; there are: m"):
        blame(PARAMS, "x")
    with pytest.raises(PipelineError, match="unknown figure 'beauty'; there are: accuracy"):
        blame(PARAMS, "m", "beauty")
    with pytest.raises(PipelineError, match="unknown split 'train'"):
        blame(PARAMS, "m", split="train")
