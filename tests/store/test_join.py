from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.core.files.digest import digest_bytes
from pipeline.core.schemas import curated_schema
from pipeline.parts import tables
from pipeline.parts.part import Row
from pipeline.store.join import join_work_tree
from tests.stages.plans.stored import Stored
from tests.toy import function, put

TARGETS = {"label": "multiclass", "size": "regression"}


def asset(name: str) -> str:
    return digest_bytes(name.encode())


def put_features(folder: Path, values: dict[tuple[str, int], list[float]]) -> None:
    rows = [
        Row(asset(name), f"{name}{view}", "s", "b", 8, view, np.array(value, np.float32))
        for (name, view), value in values.items()
    ]
    put(folder, Stored(function()), rows, cut=(2, 1 << 20))


@pytest.fixture
def root(inside: Path) -> Path:
    """Three samples: both modalities, picture alone, and a sound whose encoding failed."""
    samples = [
        ("one", "p1", "a1", "train"),
        ("two", "p2", None, "test"),
        ("three", None, "a3", "test"),
    ]
    rows = [
        tables.record_row(
            {
                "sample_id": name,
                "source": "s",
                "batch": "b",
                "group": name,
                "split_given": None,
                "licence": None,
                "target.label": name,
                "target.size": None if name == "two" else 1.5,
                "attributes": [("length", str(len(name)))],
                "image": picture and asset(picture),
                "audio": sound and asset(sound),
                "component": name,
                "split": split,
                "joined_by": [],
            },
            name,
        )
        for name, picture, sound, split in samples
    ]
    schema = curated_schema(("image", "audio"), TARGETS)  # type: ignore[arg-type]
    tables.table(inside / "curated", "curate", function(), schema, rows, 2, 1 << 20, 0.0).run()
    pictures = {("p1", 0): [1.0, 2.0], ("p2", 0): [3.0, 4.0], ("p1", 1): [5.0, 6.0]}
    put_features(inside / "features" / "look", pictures)
    put_features(inside / "features" / "sound", {("a1", 0): [7.0], ("b9", 0): [8.0]})
    return inside


SETS = {"look": "image", "sound": "audio"}


def test_rows_are_aligned_and_what_is_absent_is_masked_and_zero(root: Path) -> None:
    joined = join_work_tree(root, SETS)
    by_name = {name: i for i, name in enumerate(joined.sample_ids)}
    order = [by_name[name] for name in ("one", "two", "three")]
    assert joined.present["look"][order].tolist() == [True, True, False]
    assert joined.present["sound"][order].tolist() == [True, False, False]
    assert joined.values["look"][order].tolist() == [[1, 2], [3, 4], [0, 0]]
    assert joined.values["sound"][order].tolist() == [[7], [0], [0]]
    assert joined.lengths["sound"][order].tolist() == [1, 0, 0]
    assert joined.split[order].tolist() == ["train", "test", "test"]
    assert joined.targets["label"][order].tolist() == ["one", "two", "three"]
    assert np.isnan(joined.targets["size"][order]).tolist() == [False, True, False]
    assert [joined.attributes[i] for i in order][2] == {"length": "5"}


def test_a_view_that_an_asset_lacks_is_absent(root: Path) -> None:
    joined = join_work_tree(root, SETS, view=1)
    one = joined.sample_ids.index("one")
    assert joined.values["look"][one].tolist() == [5, 6]
    assert joined.present["look"].sum() == 1
    assert not joined.present["sound"].any()
    assert joined.values["sound"].shape == (3, 1)
