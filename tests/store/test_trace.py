from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import PipelineError
from pipeline.store import Store, open_store
from pipeline.store.trees.git import describe_head


@pytest.fixture
def store(project: Path) -> Store:
    return open_store(project)


def ids(store: Store, where: str) -> list[str]:
    result: list[Any] = store.sql(
        f"SELECT sample_id FROM samples WHERE {where} ORDER BY sample_id"
    )["sample_id"].to_pylist()
    return result


def test_a_prediction_leads_to_its_source_files(store: Store) -> None:
    asked = store.sql("SELECT sample_id, model FROM predictions WHERE split = 'test'").to_pylist()
    one = asked[0]["sample_id"]
    result = store.trace(one)
    assert result["sample"]["sample_id"] == one
    assert result["commit"] == describe_head(store.project)
    assert {(p["model"], p["split"]) for p in result["predictions"]} == {
        (row["model"], "test") for row in asked if row["sample_id"] == one
    }
    for prediction in result["predictions"]:
        assert 0 <= prediction["probability"] <= 1
        assert prediction["right"] == (prediction["prediction"] == prediction["truth"])
        assert "curated" in prediction["trained_on"]
    assert result["modalities"]
    for modality, about in result["modalities"].items():
        raw = store.project / "data" / "raw" / about["asset"]["locator"]
        digest = result["sample"][modality]
        assert digest == about["asset"]["digest"] == about["clean"]["digest"]
        if raw.name != "metadata.csv":  # a text stands within it
            assert hashlib.sha256(raw.read_bytes()).hexdigest() == digest
        for name, row in about["features"].items():
            features = store[name]
            assert row["provenance"] == features.provenance["digest"]
            part = next(entry for entry in features.entries if entry.key == row["part"])
            digests = features.to_arrow(["digest"])["digest"].to_pylist()
            before = features.parts(0).index(part)
            start = sum(entry.rows for entry in features.parts(0)[:before])
            assert digests[start + row["row"]] == digest


def test_a_sample_that_lacks_a_modality_is_traced_without(store: Store) -> None:
    (one, *_) = ids(store, "audio IS NULL")
    assert "audio" not in store.trace(one)["modalities"]


def test_a_set_that_params_no_longer_name_is_left_out(store: Store, tmp_path: Path) -> None:
    copy = tmp_path / "project"
    shutil.copytree(store.project, copy, ignore=shutil.ignore_patterns("cache"), symlinks=True)
    shutil.copytree(copy / "data/features/colour_hog", copy / "data/features/gone")
    (one, *_) = ids(store, "image IS NOT NULL")
    assert open_store(copy).trace(one)["modalities"] == store.trace(one)["modalities"]


def test_an_unknown_sample_is_told_with_what_is_like_it(store: Store) -> None:
    with pytest.raises(PipelineError, match=r"no sample 'first'; like it: shapes/first"):
        store.trace("first")
    with pytest.raises(PipelineError, match=r"no sample 'nobody'$"):
        store.trace("nobody")
