from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.parts.part import Row
from pipeline.store import describe, open_store
from pipeline.store.describe import (
    describe_set,
    sample_places,
    samples_showing,
    summaries,
    value_statistics,
)
from pipeline.store.feature_set import FeatureSet
from tests.stages.plans.stored import Stored, asset
from tests.store.small import COUNT, small
from tests.toy import function, put

__all__ = ["small"]


@pytest.fixture
def look(small: Path) -> FeatureSet:
    return open_store(small)["look"]


def put_values(project: Path, values: np.ndarray) -> FeatureSet:
    """`values` (n, …) in the place of the set `look`."""
    rows = [
        Row(asset("image", str(i)), f"k{i}", "s", "b", 8, 0, value)
        for i, value in enumerate(values)
    ]
    put(project / "data" / "features" / "look", Stored(function(), "extract/look"), rows)
    return open_store(project)["look"]


def test_sets_are_listed_with_what_they_hold(small: Path) -> None:
    look, sound = summaries(open_store(small))
    assert (look["name"], look["modality"], look["rows"], look["views"]) == (
        "look", "image", COUNT - 1, 3,
    )  # fmt: skip
    assert (sound["shape"], sound["dtype"]) == ([4, 2], "float32")


def test_a_set_that_params_no_longer_name_is_not_listed(small: Path) -> None:
    (small / "data/features/look").rename(small / "data/features/gone")
    (sound,) = summaries(open_store(small))
    assert (sound["name"], sound["modality"], len(sound["provenance"])) == ("sound", "audio", 8)


def test_parts_are_counted_by_batch_and_view(look: FeatureSet) -> None:
    result = describe_set(look)
    assert sum(one["rows"] for one in result["parts"]) == 3 * (COUNT - 1)
    assert sum(one["parts"] for one in result["parts"]) == len(look.entries)
    assert len({(one["batch"], one["view"]) for one in result["parts"]}) == 6
    assert result["schema"]["length"] == "int32"


@pytest.mark.parametrize("block", [1, 100, 2**20])
def test_figures_are_those_of_the_whole(
    small: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.random.default_rng(0).normal(3, 2, (40, 3, 2)).astype(np.float32)
    values[:, 1, 1] = 0.1
    values[5] = values[4] = 0
    features = put_values(small, values)
    monkeypatch.setattr(describe, "BLOCK", block)
    result = value_statistics(features)
    flat = values.reshape(40, 6).astype(np.float64)
    assert (result["rows"], result["dimensions"]) == (40, 6)
    assert (result["duplicates"], result["zero"], result["constant_dimensions"]) == (1, 2, 0)
    norms = np.quantile(np.linalg.norm(flat, axis=1), [0, 0.5, 1])
    assert list(result["norm"].values()) == pytest.approx(norms.tolist())
    assert result["mean"]["highest"] == pytest.approx(flat.mean(0).max())
    assert result["deviation"]["median"] == pytest.approx(np.median(flat.std(0)))


def test_a_dimension_that_never_changes_is_counted(small: Path) -> None:
    values = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    values[:, 2] = 0.1
    assert value_statistics(put_values(small, values))["constant_dimensions"] == 1


def test_what_is_not_finite_counts_and_spoils_nothing(small: Path) -> None:
    values = np.ones((9, 4), np.float32)
    values[2, 1:3] = np.nan
    values[3, 0] = -np.inf
    result = value_statistics(put_values(small, values))
    assert (result["nan"], result["infinite"]) == (2, 1)
    assert result["norm"] == {"lowest": 2.0, "median": 2.0, "highest": 2.0}


def test_no_rows_have_no_figures(look: FeatureSet) -> None:
    result = value_statistics(look, where="false")
    assert result["rows"] == result["constant_dimensions"] == 0
    assert set(result["norm"].values()) == {None}


def test_a_draw_is_of_digests_and_of_a_seed(look: FeatureSet) -> None:
    def drawn(seed: int, where: str | None = None) -> list[str]:
        places = sample_places(look, 6, seed, where)
        return list(look.columns(["digest"]).take(places)["digest"].to_pylist())

    assert drawn(1) == drawn(1)
    assert len(set(drawn(1))) == 6
    assert drawn(1) != drawn(2)
    assert drawn(1, where=f"digest IN {tuple(drawn(1))}") == drawn(1)
    without = drawn(1, where=f"digest <> '{drawn(1)[0]}'")
    assert without[:5] == drawn(1)[1:]


def test_samples_that_show_an_asset_are_found(look: FeatureSet) -> None:
    result = samples_showing(look, [asset("image", "1"), asset("image", "7"), "x"])
    assert set(result[asset("image", "1")]) == {"s/00", "s/01"}
    assert result[asset("image", "7")] == ["s/07"]
    assert result["x"] == []
