from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.errors import PipelineError
from pipeline.params import load
from pipeline.parts.manifest import read_manifest
from pipeline.stages.verify import Verified, verify
from pipeline.store import open_store


@pytest.fixture
def here(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the finished project, as the working directory."""
    folder = tmp_path / "project"
    shutil.copytree(project, folder, ignore=shutil.ignore_patterns("cache"), symlinks=True)
    monkeypatch.chdir(folder)
    return folder


def all_of(sample: str) -> list[Verified]:
    return list(verify(load(), open_store("."), sample))


def whole() -> str:
    """A sample with every modality."""
    found = open_store(".").sql(
        "SELECT sample_id FROM samples WHERE image IS NOT NULL AND audio IS NOT NULL "
        "AND text IS NOT NULL ORDER BY sample_id"
    )
    return str(found["sample_id"][0])


def test_every_row_comes_out_as_it_is_stored(here: Path) -> None:
    found = all_of(whole())
    assert {one.stage.split("/")[0] for one in found} == {"clean", "extract"}
    assert {one.stage for one in found} >= {"clean/image", "clean/audio", "clean/text"}
    assert all(one.equal for one in found)


def test_a_value_that_was_changed_is_found(here: Path) -> None:
    sample = whole()
    store = open_store(".")
    name = next(one for one in store if store[one].modality == "image")
    digest = store.trace(sample)["sample"]["image"]
    for entry in read_manifest(Path("data/features") / name):
        path = Path("data/features") / name / f"{entry.key}.parquet"
        table = pq.read_table(path)
        if entry.view == 0 and digest in table["digest"].to_pylist():
            vectors = table["vector"].to_pylist()
            vectors[table["digest"].to_pylist().index(digest)][0] += 1.0
            column = pa.array(vectors, table.schema.field("vector").type)
            path.chmod(0o644)
            changed = table.set_column(4, table.schema.field("vector"), column)
            pq.write_table(changed, path)
    differing = [one for one in all_of(sample) if not one.equal]
    assert [(one.stage, one.differs) for one in differing] == [(f"extract/{name}", "vector")]


def test_rows_of_other_instructions_are_not_compared(here: Path) -> None:
    sample = whole()
    path = Path("data/clean/image/_manifest.json")
    manifest = json.loads(path.read_text())
    manifest["function"]["processor"] = "x86_64 native GenuineIntel 6 avx avx2"
    path.unlink()
    path.write_text(json.dumps(manifest))
    with pytest.raises(PipelineError, match="made under `instructions: native`"):
        all_of(sample)


def test_a_source_file_that_was_changed_is_told(here: Path) -> None:
    sample = whole()
    locator = open_store(".").trace(sample)["modalities"]["image"]["asset"]["locator"]
    path = Path("data/raw") / locator
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(PipelineError, match=r"changed|digest"):
        all_of(sample)
