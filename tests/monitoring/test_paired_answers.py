"""Predictions of two models, side by side."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import f1_score

from pipeline.core.schemas import curated_schema, predictions_schema
from pipeline.monitoring.paired_answers import paired_answers


def predictions(answers: dict[str, str], truth: dict[str, str | None]) -> pa.Table:
    rows = [
        {
            "sample_id": name,
            "model": "m",
            "split": "test",
            "task": task,
            "present": [],
            "probabilities": [],
            "prediction": answer,
            "truth": truth[name],
        }
        for name, answer in answers.items()
        for task in ("kind", "other")
    ]
    return pa.Table.from_pylist(rows, schema=predictions_schema())


def test_they_are_paired_by_sample() -> None:
    truth = {"d": "cat", "b": "dog", "a": "dog", "c": None, "e": "newt"}
    samples = pa.Table.from_pylist(
        [
            {
                "sample_id": name,
                "source": "s",
                "batch": "b",
                "group": name,
                "target.kind": kind,
                "attributes": [("voice", "low")] if name == "a" else [],
                "component": f"of {name}",
                "split": "test",
            }
            for name, kind in truth.items()
        ],
        schema=curated_schema([], {"kind": "multiclass"}),
    )
    paired = paired_answers(
        predictions({"a": "dog", "b": "cat", "c": "cat", "d": "cat", "e": "cat"}, truth),
        predictions({"d": "newt", "b": "dog", "a": "dog"}, truth),
        samples,
        "kind",
        ["cat", "dog"],
        ["voice", "kind"],
    )
    assert paired.component.tolist() == ["of a", "of b", "of d"]
    assert paired.truth.tolist() == [1, 1, 0]
    assert paired.champion.tolist() == [1, 0, 0]
    assert paired.challenger.tolist() == [1, 1, -1]
    assert paired.slices["voice"].tolist() == ["low", None, None]
    assert paired.slices["kind"].tolist() == ["dog", "dog", "cat"]
    assert paired.gains(np.ones(2)).tolist() == [0, 1, -1]
    scores = [
        f1_score(paired.truth, answers, labels=[0, 1], average="macro", zero_division=0)
        for answers in (paired.champion, paired.challenger)
    ]
    assert paired.macro_f1_gain(2) == pytest.approx(scores[1] - scores[0])
