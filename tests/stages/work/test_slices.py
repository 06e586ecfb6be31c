from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.core.errors import PipelineError
from pipeline.stages.work import slices as module
from pipeline.stages.work.slices import slice_values
from tests.models.synthetic import SETS, joined

WORLD = joined(subjects=8)


def test_presence_names_the_modalities_that_the_model_reads():
    result = slice_values(WORLD, ["presence"], SETS, Path("data"))["presence"]
    for i, value in enumerate(result):
        has = sorted(m for name, m in SETS.items() if WORLD.present[name][i])
        assert value == "+".join(has)
    words = {"words": "text"}
    alone = slice_values(WORLD, ["presence"], words, Path("data"))["presence"]
    assert set(alone) == {"text", "none"}


def test_a_source_is_a_slice_unless_an_attribute_is_called_so():
    assert slice_values(WORLD, ["source"], SETS, Path("data"))["source"].tolist() == [*WORLD.source]
    told = replace(WORLD, attributes=[{"source": "web"} for _ in WORLD.sample_ids])
    assert set(slice_values(told, ["source"], SETS, Path("data"))["source"]) == {"web"}


def test_durations_fall_into_quarters(monkeypatch, tmp_path):
    n = len(WORLD.sample_ids)
    tables = {
        "audio": {"digest": [f"d{i}" for i in range(n - 1)], "duration": np.arange(n - 1) / 10},
        "curated": {"sample_id": WORLD.sample_ids, "audio": [f"d{i}" for i in range(n)]},
    }
    (tmp_path / "clean" / "audio").mkdir(parents=True)
    monkeypatch.setattr(
        "pipeline.parts.manifest.read",
        lambda out, columns: pa.table(tables[out.name]).select(columns),
    )
    result = slice_values(WORLD, ["duration"], SETS, tmp_path)["duration"]
    assert result[-1] is None  # its clip was refused
    names, counts = np.unique(result[:-1].astype(str), return_counts=True)
    assert [name.split(":")[0] for name in names] == ["1", "2", "3", "4"]
    assert counts.min() >= (n - 1) // 4
    assert result[0] == "1: 0.00 to 0.55 s"
    assert module.extra_inputs(["duration"], tmp_path) == ["clean/audio"]
    assert module.extra_inputs(["language"], tmp_path) == []


def test_without_clips_there_is_no_duration(tmp_path):
    with pytest.raises(PipelineError, match="no modality here has a 'duration'"):
        slice_values(WORLD, ["duration"], SETS, tmp_path)


def test_a_target_of_the_name_goes_before(tmp_path):
    WORLD.targets["duration"] = WORLD.targets["language"]
    try:
        result = slice_values(WORLD, ["duration"], SETS, tmp_path)
    finally:
        del WORLD.targets["duration"]
    assert set(result["duration"]) == {"de", "el", "fr"}
