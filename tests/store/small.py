"""A store made by hand: three dozen samples in two batches, pictures with views, sounds."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import yaml

from pipeline.core.schemas import curated_schema
from pipeline.parts import tables
from pipeline.parts.part import Row
from tests.stages.plans.stored import Stored, asset
from tests.toy import function, put

BATCHES = ("2026-01", "2026-02")
TARGETS = {"category": "multiclass", "size": "regression"}
SETS = {"look": "image", "sound": "audio"}
COUNT = 36


def put_small(project: Path) -> None:
    """Params, curated samples and two feature sets.

    Sample i is in the train split if it is even. Every third has no sound; samples 0 and 1 show
    one picture.
    """
    features = {name: {"modality": m, "encoder": "x"} for name, m in SETS.items()}
    (project / "params.yaml").write_text(yaml.safe_dump({"features": features}))
    records = [record(i) for i in range(COUNT)]
    rows = [tables.record_row(one, one["sample_id"]) for one in records]
    schema = curated_schema(SETS.values(), TARGETS)  # type: ignore[arg-type]
    data = project / "data"
    tables.table(data / "curated", "curate", function(), schema, rows, 8, 1 << 20, 0.0).run()
    put_sets(data, records)


def record(i: int) -> dict[str, object]:
    return {
        "sample_id": f"s/{i:02d}",
        "source": "s",
        "batch": BATCHES[i % 3 == 2],
        "group": f"g{i}",
        "split_given": None,
        "licence": None,
        "target.category": "ab"[i % 2],
        "target.size": float(i) if i % 4 else None,
        "attributes": [("colour", "red" if i < 10 else "blue")],
        "image": asset("image", str(max(i, 1))),
        "audio": asset("audio", str(i)) if i % 3 else None,
        "component": f"c{i}",
        "split": "test" if i % 2 else "train",
        "joined_by": [],
    }


def picture(i: int, view: int = 0) -> np.ndarray:
    return np.random.default_rng([i, view]).standard_normal(5).astype(np.float32)


def sound(i: int) -> np.ndarray:
    return np.random.default_rng(i).standard_normal((4, 2)).astype(np.float32)


def put_sets(data: Path, records: list[dict[str, object]]) -> None:
    looks = {
        (str(one["image"]), view): (one, picture(max(i, 1), view))
        for i, one in reversed(list(enumerate(records)))
        for view in range(3)
    }
    sounds = {
        (str(one["audio"]), 0): (one, sound(i)) for i, one in enumerate(records) if one["audio"]
    }
    for name, made in (("look", looks), ("sound", sounds)):
        rows = [
            Row(digest, f"{digest}{view}", "s", str(one["batch"]), 8, view, value)
            for (digest, view), (one, value) in made.items()
        ]
        put(data / "features" / name, Stored(function(), f"extract/{name}"), rows, cut=(4, 1 << 20))


@cache
def small_project() -> TemporaryDirectory[str]:
    """One that is made once a process, for copies; it goes with the process."""
    folder = TemporaryDirectory()
    put_small(Path(folder.name))
    return folder


@pytest.fixture
def small(inside: Path) -> Path:
    """The project's folder."""
    shutil.copytree(small_project().name, inside, dirs_exist_ok=True)
    return inside
