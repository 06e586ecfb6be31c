"""The whole graph on a small data set, as a user runs it, under each executor."""

from __future__ import annotations

import csv
import json
import os
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.command import records
from tests.dataset import picture, put_batch, put_project, run, run_stages, tree, write_metadata

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def repro(folder: Path) -> dict[str, dict[str, Any]]:
    """Run what has to be run; stage → record, of the stages that DVC started."""
    shutil.rmtree(folder / ".pipeline" / "runs", ignore_errors=True)
    run(folder, "dvc", "repro")
    return {record["stage"]: record for record in records(folder, "runs")}


def planned(folder: Path) -> dict[str, dict[str, Any]]:
    """Stage → forecast, of the stages that would work."""
    lines = run(folder, "pipeline", "plan", "--json").stdout.splitlines()
    found = {one["stage"]: one for one in map(json.loads, lines)}
    return {stage: one for stage, one in found.items() if one["reasons"]}


def worked(done: Mapping[str, Mapping[str, Any]]) -> set[str]:
    return {stage for stage, record in done.items() if record["computed"]}


def rows(done: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """Stage → rows that went through its function, of the stages of media."""
    media = ("clean/", "augment/", "extract/")
    return {
        s: r["computed_rows"] for s, r in done.items() if s.startswith(media) and r["computed_rows"]
    }


@pytest.fixture
def other(project: Path, tmp_path: Path) -> Path:
    """A copy of the project that has run."""
    shutil.copytree(project, tmp_path / "other", symlinks=True)
    return tmp_path / "other"


def change(folder: Path, **settings: dict[str, dict[str, object]]) -> None:
    """Set settings of params.yaml: section → name → key → value."""
    document = yaml.safe_load((folder / "params.yaml").read_text())
    for section, named in settings.items():
        for name, values in named.items():
            document[section][name].update(values)
    (folder / "params.yaml").write_text(yaml.safe_dump(document))


def test_every_stage_of_the_graph_wrote_what_it_promises(project: Path) -> None:
    metrics = json.loads((project / "data/evaluation/gated/metrics.json").read_text())
    figures = records(project, "metrics", "gated")
    test = {row["figure"]: row for row in figures if row["split"] == "test"}
    assert test["n"]["value"] > 0
    assert test["accuracy"]["low"] <= test["accuracy"]["value"] <= test["accuracy"]["high"]
    assert metrics["test"]["shape"] == {"macro_f1": test["macro_f1"]["value"]}
    page = (project / "data/reports/index.html").read_text()
    assert "gated" in page
    assert (project / "data/models/gated/model.safetensors").stat().st_size > 0


def test_again_there_is_nothing_to_do(project: Path) -> None:
    assert "up to date" in run(project, "dvc", "repro").stdout


def test_dvc_shows_metrics_and_plots(project: Path) -> None:
    shown = run(project, "dvc", "metrics", "show", "--json").stdout
    assert "macro_f1" in shown
    run(project, "dvc", "metrics", "diff")
    run(project, "dvc", "plots", "show", "--out", "plots")
    assert "confusion" in (project / "plots" / "index.html").read_text()


def test_deleted_outputs_come_back_from_the_cache(project: Path) -> None:
    before = tree(project)
    shutil.rmtree(project / "data" / "features")
    run(project, "dvc", "checkout")
    assert tree(project) == before
    assert "up to date" in run(project, "dvc", "status").stdout


@pytest.mark.parametrize("executor", ["processes", "ray"])
def test_every_executor_gives_the_same_bytes(
    project: Path, tmp_path: Path, executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it change any how Python hashes."""
    monkeypatch.setenv("PYTHONHASHSEED", "12345")
    put_project(tmp_path / "other", executor=executor, workers=2)
    shutil.copytree(project / "data" / "raw", tmp_path / "other" / "data" / "raw")
    run_stages(tmp_path / "other")
    assert tree(tmp_path / "other") == tree(project)


def test_comments_and_unused_code_compute_nothing_that_they_do_not_touch(other: Path) -> None:
    before = tree(other)
    module = other / "pipeline" / "core" / "files" / "digest.py"
    module.write_text("# A comment changes no bits.\n" + module.read_text())
    docstring = other / "pipeline" / "models" / "training" / "loop.py"
    docstring.write_text(docstring.read_text().replace('"""', '"""Read this: ', 1))
    assert not planned(other)
    done = repro(other)
    assert done.keys() == {"code"}
    assert not worked(done)
    assert tree(other) == before

    module = other / "pipeline" / "encoders" / "hashing.py"
    module.write_text(module.read_text() + "\nUNUSED = 1\n")
    assert (
        "module pipeline.encoders.hashing changed" in planned(other)["extract/hashing"]["reasons"]
    )
    done = repro(other)
    assert done.keys() >= {"ingest", "clean/image", "extract/mfcc", "train/gated", "report"}
    assert worked(done) == {"code", "extract/hashing", "train/gated", "evaluate/gated", "report"}


def test_a_parameter_costs_its_own_modality_and_going_back_costs_nothing(other: Path) -> None:
    before = tree(other)
    change(other, clean={"audio": {"level_dbfs": -20.0}})
    forecast = planned(other)
    assert forecast["clean/audio"]["reasons"] == ["parameter level_dbfs: -23.0 → -20.0"]
    assert forecast["clean/audio"]["exact"]
    assert not forecast["extract/mfcc"]["exact"]
    done = repro(other)
    models = {"train/gated", "evaluate/gated", "report"}
    assert worked(done) == {"params", "clean/audio", "extract/mfcc"} | models
    assert rows(done)["clean/audio"] == forecast["clean/audio"]["rows"]
    assert rows(done)["extract/mfcc"] == forecast["extract/mfcc"]["rows"]

    change(other, clean={"audio": {"level_dbfs": -23.0}})
    assert planned(other)["clean/audio"]["restored"] == done["clean/audio"]["planned"]
    back = repro(other)
    assert worked(back) == {"params"}
    restored = {stage for stage, record in back.items() if record["restored"]}
    assert restored == worked(done) - {"params"}
    assert tree(other) == before


def test_new_files_cost_themselves_wherever_they_land(other: Path) -> None:
    before = tree(other)
    raw = other / "data" / "raw" / "shapes"
    # Twelve samples, i = 20 to 23 of each class; none lacks a modality.
    put_batch(raw / "second", 20, 4)
    forecast = planned(other)
    expected = {
        **dict.fromkeys(["clean/audio", "clean/image", "clean/text"], 12),
        **dict.fromkeys(["augment/audio", "augment/image", "augment/text"], 12),
        **dict.fromkeys(["extract/colour_hog", "extract/hashing", "extract/mfcc"], 24),
    }
    assert (
        rows({stage: {"computed_rows": one["rows"]} for stage, one in forecast.items()}) == expected
    )
    done = repro(other)
    assert rows(done) == expected
    assert all(record["reused_rows"] == 0 for record in done.values())
    after = tree(other)
    old = {name for name in before if name.endswith(".parquet") and "curated" not in name}
    old -= {name for name in old if name.startswith(("samples", "evaluation"))}
    assert {name: after[name] for name in old} == {name: before[name] for name in old}

    # Three more in the old batch: its parts are cut anew, and their old rows taken over.
    first = raw / "first"
    with (first / "metadata.csv").open() as file:
        held = list(csv.DictReader(file))
    more = put_batch(raw / "more", 40, 1)
    for path in (raw / "more").iterdir():
        if path.suffix != ".csv":
            path.rename(first / path.name)
    shutil.rmtree(raw / "more")
    write_metadata(first, [*held, *more])
    done = repro(other)
    assert rows(done) == {stage: n // 4 for stage, n in expected.items()}
    assert done["extract/mfcc"]["reused_rows"] > 0

    # To another batch, and under another name: nothing is decoded or encoded.
    (raw / "second").rename(raw / "renamed")
    assert rows(repro(other)) == {}

    fresh = other.parent / "fresh"
    put_project(fresh, executor="processes", workers=2)
    shutil.copytree(raw, fresh / "data" / "raw" / "shapes")
    run_stages(fresh)
    assert tree(fresh) == tree(other)


def test_what_is_bad_is_refused_with_its_reason_and_the_rest_goes_through(
    project: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(project, other, symlinks=True)
    batch = other / "data" / "raw" / "shapes" / "bad"
    expected = put_bad_batch(batch, tmp_path)
    # DVC would wait for the pipe without end, and read what the link leads to.
    with (other / ".dvcignore").open("a") as ignored:
        ignored.write("/data/raw/shapes/bad/pipe.png\n/data/raw/shapes/bad/link.png\n")
    run(other, "pipeline", "check")
    run(other, "dvc", "repro", "curate")
    assert expected <= {one["reason"] for one in records(other, "rejects")}
    listed = run(other, "pipeline", "rejects").stdout
    assert all(reason in listed for reason in expected)
    assert run(other, "pipeline", "rejects", "--stage", "clean/audio").stdout


def put_bad_batch(batch: Path, outside: Path) -> set[str]:
    """One sample for each kind of bad input beside good ones; returns the reasons to expect."""
    rows = put_batch(batch, 30, 2)
    png = picture("circle", 99)

    def image(name: str, data: bytes) -> None:
        (batch / name).write_bytes(data)
        rows.append(row(name, image_file_name=name))

    def row(name: str, **given: str) -> dict[str, str]:
        empty = dict.fromkeys(rows[0], "")
        return {**empty, "sample_id": name, "shape": "circle", **given}

    image("truncated.png", png[: len(png) // 2])
    bomb = bytearray(png)
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2
    bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4, "big")
    image("bomb.png", bytes(bomb))
    svg = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    size = ' width="40" height="40">'
    image("file.svg", f'{svg}{size}<image xlink:href="/etc/passwd"/></svg>'.encode())
    image("url.svg", f'{svg}{size}<image xlink:href="http://localhost/a.png"/></svg>'.encode())
    entity = '<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    image("entity.svg", f"{entity}{svg}{size}<text>&x;</text></svg>".encode())
    (batch / "zero.ogg").write_bytes(b"")
    rows.append(row("zero", audio_file_name="zero.ogg"))
    (batch / "text.ogg").write_text("this is no sound")
    rows.append(row("text", audio_file_name="text.ogg"))
    rows.append(row("missing", image_file_name="nowhere.png"))
    (outside / "secret.png").write_bytes(png)
    rows.append(row("leaves", image_file_name="../../../../../secret.png"))
    (batch / "link.png").symlink_to(outside / "secret.png")
    rows.append(row("link", image_file_name="link.png"))
    os.mkfifo(batch / "pipe.png")
    rows.append(row("pipe", image_file_name="pipe.png"))
    rows.append(row("twice", text="the same id"))
    rows.append(row("twice", text="the same id, again"))
    (batch / "bytes.txt").write_bytes(b"caf\xe9 \xff\xfe\x80")
    rows.append(row("bytes", file_name="bytes.txt"))
    for one in rows:
        one.setdefault("file_name", "")
    write_metadata(batch, rows)
    return {
        "truncated",
        "too_many_pixels",
        "external_reference",
        "empty_file",
        "undecodable",
        "missing_file",
        "outside_folder",
        "duplicate_sample_id",
        "not_a_file",
        "not_utf8",
    }
