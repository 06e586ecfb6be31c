from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from pipeline.cli import browse
from pipeline.cli.main import app
from pipeline.parts import tables
from pipeline.store import open_store
from tests.cli.stamps import BATCH, placed, stamps
from tests.toy import function

__all__ = ["stamps"]
CLEAN = pa.schema([("digest", pa.string()), ("shape", pa.list_(pa.int32())), ("data", pa.binary())])


def test_points_have_a_place_a_sample_and_a_picture(stamps: Path) -> None:
    store = open_store()
    features = store["efficientnet_lite0"]
    pixels = np.zeros((8, 6, 3), np.uint8)
    digests = features.to_numpy(["digest"])["digest"].tolist()
    clean = [
        tables.record_row({**placed(), "digest": one, "shape": [8, 6, 3], "data": pixels.tobytes()})
        for one in digests
    ]
    out = stamps / "data" / "clean" / "image"
    tables.table(out, "clean/image", function(), CLEAN, clean, 8, 1 << 20, 0.0).run()
    found = browse.points_of(store, features).to_pylist()
    assert [row["digest"] for row in found] == digests
    assert all(row["picture"].startswith("data:image/webp;base64,") for row in found)
    assert all(row["sample_id"].startswith(f"stamps/{BATCH}/") for row in found)
    assert {row["target.category"] for row in found} == {"seasonal", "town", "animals", "food"}
    assert len({(row["x"], row["y"]) for row in found}) == 4


def test_other_sets_have_no_pictures(stamps: Path) -> None:
    store = open_store()
    found = browse.points_of(store, store["use_multilingual"], where="target.language = 'fr'")
    assert found.num_rows == 4
    assert "picture" not in found.column_names


def test_a_point_s_sample_meets_the_condition(stamps: Path) -> None:
    store = open_store()
    where = "target.language = 'lt'"
    found = browse.points_of(store, store["efficientnet_lite0"], where)
    assert found["target.language"].to_pylist() == ["lt"] * 4


def test_the_viewer_is_asked_for_by_name(stamps: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browse, "find_spec", lambda name: None)
    done = CliRunner().invoke(app, ["store", "browse", "use_multilingual"])
    assert done.exit_code == 1
    assert "pip install embedding-atlas" in done.output
