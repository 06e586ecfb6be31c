"""Damage in our own files, of every kind of file and of damage, ends in a sentence."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.core.errors import PipelineError
from pipeline.core.files.documents import csv_rows, document, reading
from pipeline.core.schemas import assets_schema
from pipeline.parts import tables
from tests.cli.stamps import BATCH, stamps
from tests.toy import function

__all__ = ["stamps"]
SAMPLE = f"stamps/{BATCH}/seasonal/hanukkah/dreydl-shin@fr"
CARD = {
    "features": {"use_multilingual": {"modality": "text", "shape": [5]}},
    "samples": {"train": {"seen": 1, "unseen": 1}},
    "inputs": {"x": "1"},
}


def call(*arguments: str, code: int) -> str:
    done = CliRunner().invoke(app, [*arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def project(stamps: Path) -> Path:
    """The stamps with a model, and params that can be loaded."""
    from tests.dataset import params

    said = params()
    said["modalities"] = ["image", "audio", "text"]
    said["features"] = {"use_multilingual": {"modality": "text", "encoder": "hashing"}}
    said["models"] = {
        "gated": {**said["models"]["gated"], "features": ["use_multilingual"]}  # type: ignore[index]
    }
    Path("params.yaml").write_text(yaml.safe_dump(said))
    for name in ("efficientnet_lite0", "mfcc"):
        shutil.rmtree(stamps / "data" / "features" / name)
    asset = {"digest": "0" * 64, "source": "stamps", "batch": BATCH, "size": 1, "locator": "x.ogg"}
    rows = [tables.record_row({**asset, "media_type": "audio/ogg", "data": None})]
    out = stamps / "data/assets/audio"
    tables.table(out, "ingest", function(), assets_schema(), rows, 8, 1 << 20, 0.0).run()
    card = stamps / "data/models/gated/model.json"
    card.parent.mkdir(parents=True)
    card.write_text(json.dumps(CARD))
    return stamps


def wrong(value: object) -> Callable[[Path], object]:
    return lambda path: path.write_text(json.dumps(value))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "garbage": lambda path: path.write_bytes(bytes(range(256)) * 4),
    "nested": lambda path: path.write_text("[" * 100_000),
    "a list": wrong([]),
    "a number": wrong(5),
    "of numbers": wrong({"parts": 5, "samples": 5, "features": 5, "inputs": 5, "stage": 5}),
    "of lists": wrong({"parts": [[]], "samples": {"train": []}, "features": [], "stage": []}),
    "of texts": wrong({"parts": ["x"], "samples": {"train": "x"}, "features": {"x": "y"}}),
    "of half": wrong({"parts": [{"key": 5}], "samples": {"train": {}}, "features": {"x": {}}}),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    ("file", "commands"),
    [
        ("data/models/gated/model.json", ["rejects", f"store trace {SAMPLE}"]),
        ("data/clean/audio/_manifest.json", ["rejects", f"store trace {SAMPLE}"]),
        (
            "data/curated/_manifest.json",
            ["rejects", f"store trace {SAMPLE}", "store get use_multilingual x"],
        ),
        (
            "data/features/use_multilingual/_manifest.json",
            [
                "store ls",
                "store describe use_multilingual",
                "store stats use_multilingual",
                "store validate",
            ],
        ),
    ],
)
def test_a_damaged_document_is_told(
    project: Path, file: str, commands: list[str], damage: str
) -> None:
    DAMAGES[damage](Path(file))
    for command in commands:
        output = call(*command.split(" "), code=1)
        assert f"{file} is damaged: `pipeline validate --repair`" in output, command


def refooted(footer: object) -> Callable[[Path], object]:
    """The same rows with another footer; None: without one."""

    def change(path: Path) -> None:
        table = pq.read_table(path, partitioning=None)
        text = footer if isinstance(footer, bytes) else json.dumps(footer).encode()
        metadata = {**table.schema.metadata}
        metadata.pop(b"pipeline")
        if footer is not None:
            metadata[b"pipeline"] = text
        pq.write_table(table.replace_schema_metadata(metadata), path)

    return change


def page(path: Path) -> None:
    """Bytes of the first column, and nothing else, are others."""
    data = bytearray(path.read_bytes())
    data[4:60] = bytes(reversed(data[4:60]))
    path.write_bytes(data)


FOOTERS: dict[str, Callable[[Path], object]] = {
    "empty": DAMAGES["empty"],
    "cut short": DAMAGES["cut short"],
    "garbage": DAMAGES["garbage"],
    "no footer": refooted(None),
    "no JSON": refooted(b"\xff{"),
    "nested": refooted(b"[" * 100_000),
    "a list": refooted([]),
    "a number": refooted(5),
    "rejects no list": refooted({"key": "x", "rows": 1, "identity": "x", "rejects": 5}),
    "rejects of numbers": refooted({"key": "x", "rows": 1, "identity": "x", "rejects": [5]}),
    "rows no number": refooted({"key": "x", "rows": [], "identity": "x", "rejects": []}),
    "a reject without fields": refooted(
        {"key": "x", "rows": 1, "identity": "x", "rejects": [{"reason": "x"}]}
    ),
}


@pytest.mark.parametrize("damage", FOOTERS)
def test_a_damaged_footer_is_told(project: Path, damage: str) -> None:
    manifest = json.loads(Path("data/clean/audio/_manifest.json").read_text())
    (refusing,) = [one["key"] for one in manifest["parts"] if one["rejected"]]
    path = Path(f"data/clean/audio/{refusing}.parquet")
    FOOTERS[damage](path)
    assert f"{path} is damaged: `pipeline validate --repair`" in call("rejects", code=1)


@pytest.mark.parametrize("damage", [name for name in FOOTERS if name != "a reject without fields"])
def test_validation_goes_on_past_a_damaged_part(project: Path, damage: str) -> None:
    path = sorted(Path("data/features/use_multilingual").glob("*.parquet"))[0]
    FOOTERS[damage](path)
    assert f"use_multilingual/{path.name}: {path} is damaged" in call("store", "validate", code=1)


@pytest.mark.parametrize(
    ("pattern", "command"),
    [
        ("data/curated/*.parquet", "store get use_multilingual x"),
        ("data/clean/audio/*.parquet", f"store trace {SAMPLE}"),
        ("data/evaluation/gated/predictions.parquet", f"store trace {SAMPLE}"),
        (
            "data/features/use_multilingual/*.parquet",
            "store stats use_multilingual --where length=1",
        ),
    ],
)
@pytest.mark.parametrize("damage", [DAMAGES["garbage"], DAMAGES["cut short"], page])
def test_a_damaged_table_is_told(
    project: Path, pattern: str, command: str, damage: Callable[[Path], object]
) -> None:
    for path in sorted(Path().glob(pattern)):
        size = path.stat().st_size
        damage(path)
        path.write_bytes(path.read_bytes()[:size].ljust(size, b"x"))
    done = CliRunner().invoke(app, command.split(" "))
    assert isinstance(done.exception, SystemExit | None), done.exception
    if damage is not page:  # which may leave all that is asked for as it was
        assert "is damaged: `pipeline validate --repair`" in done.output


@pytest.mark.parametrize("line", ['{"seconds": "x"}', '{"started": 5, "rows": []}', "[]", "5", "{"])
def test_a_damaged_run_record_is_passed_over(project: Path, line: str) -> None:
    Path(".pipeline/runs").mkdir(exist_ok=True, parents=True)
    Path(".pipeline/runs/ingest.jsonl").write_text(
        f'{{"stage": "ingest", "seconds": 1.5, "outcome": "done"}}\n{line}\n'
    )
    output = call("runs", "--all", code=0)
    assert "ingest" in output
    assert "1.5" in output


def test_what_the_system_says_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        document(tmp_path / "none", dict[str, int])
    with pytest.raises(PermissionError), reading(tmp_path):
        raise PermissionError(13, "Permission denied")
    with pytest.raises(MemoryError), reading(tmp_path):
        raise pa.ArrowMemoryError("malloc of size 64 failed")
    with pytest.raises(PipelineError, match="is damaged"), reading(tmp_path):
        raise OSError("Couldn't deserialize thrift")


def test_a_place_before_the_beginning_of_a_file_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "part"
    path.write_bytes(b"bytes")
    damaged = pytest.raises(PipelineError, match="part is damaged")
    with path.open("rb") as file, damaged, reading(path):
        os.pread(file.fileno(), 4, -1)


WHOLE = "task,figure,value\nshape,n,12\n"


@pytest.mark.parametrize(
    "data",
    [WHOLE[:-5].encode(), WHOLE.encode("utf-16"), b'task,figure\n"shape', f"{WHOLE},,,\n".encode()],
)
def test_a_table_that_is_damaged_is_told(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "figures.csv"
    path.write_text(WHOLE)
    assert csv_rows(path) == [{"task": "shape", "figure": "n", "value": "12"}]
    path.write_bytes(data)
    with pytest.raises(PipelineError, match=r"figures\.csv is damaged: `pipeline validate"):
        csv_rows(path)
