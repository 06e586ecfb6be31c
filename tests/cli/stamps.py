"""A store like that of the stamps, so small that a test makes it: its sets, targets and names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from pipeline.core.files.digest import digest_bytes
from pipeline.core.records import Reject
from pipeline.core.schemas import curated_schema
from pipeline.parts import tables
from pipeline.parts.part import Row
from tests.stages.plans.stored import Stored, asset
from tests.toy import function, put

BATCH = "2022.06.04-1"
SETS = {
    "efficientnet_lite0": ("image", 6),
    "mfcc": ("audio", 4),
    "use_multilingual": ("text", 5),
}
PICTURES = ("seasonal/hanukkah/dreydl-shin", "town/signs/stop", "animals/ferret", "food/pear")
LANGUAGES = ("ca", "fr", "lt")
TARGETS = {"category": "multiclass", "language": "multiclass"}
AUDIO = pa.schema(
    [
        ("digest", pa.string()),
        ("key", pa.string()),
        ("duration", pa.float32()),
        ("data", pa.binary()),
    ]
)


def put_stamps(project: Path) -> None:
    """Twelve samples: four pictures, each named in three languages, Lithuanian without texts."""
    features = {name: {"modality": m, "encoder": name} for name, (m, _) in SETS.items()}
    (project / "params.yaml").write_text(yaml.safe_dump({"features": features}))
    data = project / "data"
    records = [record(picture, language) for picture in PICTURES for language in LANGUAGES]
    rows = [tables.record_row(one, str(one["sample_id"])) for one in records]
    modalities = [modality for modality, _ in SETS.values()]
    schema = curated_schema(modalities, TARGETS)  # type: ignore[arg-type]
    tables.table(data / "curated", "curate", function(), schema, rows, 8, 1 << 20, 0.0).run()
    for name, (modality, width) in SETS.items():
        put_set(data / "features" / name, {str(one[modality]) for one in records} - {"None"}, width)
    clean = [
        tables.record_row({**placed(), "digest": digest, "key": digest, "duration": 0.5})
        for digest in sorted({str(one["audio"]) for one in records})
    ]
    refused = Reject("clean/audio", "stamps", BATCH, "asset", "x", "x", "silent", "it is silent")
    clean.append(tables.reject_row(refused))
    tables.table(data / "clean/audio", "clean/audio", function(), AUDIO, clean, 8, 1 << 20, 1).run()
    put_predictions(data / "evaluation" / "gated", records)


def placed() -> dict[str, str]:
    return {"source": "stamps", "batch": BATCH}


def record(picture: str, language: str) -> dict[str, object]:
    return {
        **placed(),
        "sample_id": f"stamps/{BATCH}/{picture}@{language}",
        "group": picture,
        "split_given": None,
        "licence": "GPL-2",
        "target.category": picture.split("/")[0],
        "target.language": language,
        "attributes": [("locale", language)],
        "image": asset("image", picture),
        "audio": asset("audio", picture + language),
        "text": None if language == "lt" else asset("text", picture + language),
        "component": picture,
        "split": "test" if "dreydl" in picture else "train",
        "joined_by": [],
    }


def put_set(out: Path, digests: set[str], width: int) -> None:
    rows = [
        Row(digest, f"{digest}{view}", "stamps", BATCH, 8, view, value(digest, view, width))
        for digest in sorted(digests)
        for view in (0, 1)
    ]
    put(out, Stored(function(), f"extract/{out.name}"), rows, cut=(4, 1 << 20))


def value(digest: str, view: int, width: int) -> np.ndarray:
    seed = int(digest_bytes(f"{digest}{view}".encode())[:8], 16)
    return np.random.default_rng(seed).standard_normal(width).astype(np.float32)


def put_predictions(out: Path, records: list[dict[str, object]]) -> None:
    rows = [
        {
            "sample_id": one["sample_id"],
            "model": "gated",
            "split": one["split"],
            "task": "category",
            "present": ["image"],
            "probabilities": [0.25, 0.75],
            "prediction": "town",
            "truth": one["target.category"],
        }
        for one in records
        if one["split"] == "test"
    ]
    out.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), out / "predictions.parquet")


@pytest.fixture
def stamps(inside: Path) -> Path:
    """The project's folder, and the working directory."""
    put_stamps(inside)
    return inside
