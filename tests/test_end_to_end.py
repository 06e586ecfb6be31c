"""The whole graph on a small data set, as a user runs it, under each executor."""

from __future__ import annotations

import json
import os
import shutil
import zlib
from pathlib import Path

import pytest
import yaml

from pipeline.run import items
from tests.dataset import params, picture, put_batch, put_project, run, tree, write_metadata

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def repro(folder: Path) -> dict[str, int]:
    """Run what has to be run; stage → parts computed, of the stages that DVC started."""
    records = folder / ".pipeline" / "runs"
    shutil.rmtree(records, ignore_errors=True)
    run(folder, "dvc", "repro")
    last = [json.loads(path.read_text().splitlines()[-1]) for path in records.glob("*.jsonl")]
    return {record["stage"]: record["computed"] for record in last}


def test_every_stage_of_the_graph_wrote_what_it_promises(project: Path) -> None:
    metrics = json.loads((project / "data/evaluation/gated/metrics.json").read_text())
    test = metrics["tasks"]["shape"]["test"]
    assert test["n"] > 0
    assert test["accuracy"]["low"] <= test["accuracy"]["value"] <= test["accuracy"]["high"]
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
def test_every_executor_gives_the_same_bytes(project: Path, tmp_path: Path, executor: str) -> None:
    put_project(tmp_path / "other", executor=executor, workers=2)
    shutil.copytree(project / "data" / "raw", tmp_path / "other" / "data" / "raw")
    for stage, fan in items_of_the_recipe().items():
        for item in fan or ("",):
            run(tmp_path / "other", "pipeline", "stage", stage, *filter(None, [item]))
    assert tree(tmp_path / "other") == tree(project)


def items_of_the_recipe() -> dict[str, tuple[str, ...]]:
    from pipeline.params import parse

    return {name: fan for name, fan in items(parse(params())).items() if name != "fetch"}


def test_work_follows_change(project: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(project, other, symlinks=True)
    before = tree(other)

    module = other / "pipeline" / "digest.py"
    module.write_text("# A comment changes no bits.\n" + module.read_text())
    assert set(repro(other).values()) == {0}
    assert tree(other) == before

    module = other / "pipeline" / "encoders" / "hashing.py"
    module.write_text(module.read_text() + "\nUNUSED = 1\n")
    worked = {stage for stage, parts in repro(other).items() if parts}
    assert worked == {"extract/hashing", "train/gated", "evaluate/gated", "report"}

    knobs = yaml.safe_load((other / "params.yaml").read_text())
    knobs["clean"]["audio"]["level_dbfs"] = -20.0
    (other / "params.yaml").write_text(yaml.safe_dump(knobs))
    worked = {stage for stage, parts in repro(other).items() if parts}
    assert worked == {"clean/audio", "extract/mfcc", "train/gated", "evaluate/gated", "report"}

    put_batch(other / "data" / "raw" / "shapes" / "second", 20, 1)
    old = {name for name in tree(other) if name.startswith(("clean/", "features/"))}
    counts = repro(other)
    new = {name for name in tree(other) if name.startswith(("clean/", "features/"))}
    assert old <= new
    assert all(1 <= counts[f"clean/{name}"] <= 3 for name in ("image", "audio", "text"))


def test_what_is_bad_is_refused_with_its_reason_and_the_rest_goes_through(
    project: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(project, other, symlinks=True)
    batch = other / "data" / "raw" / "shapes" / "bad"
    expected = put_bad_batch(batch, tmp_path)
    with (other / ".dvcignore").open("a") as ignored:  # DVC would wait for the pipe without end
        ignored.write("/data/raw/shapes/bad/pipe.png\n")
    run(other, "pipeline", "check")
    run(other, "dvc", "repro", "curate")
    lines = run(other, "pipeline", "rejects", "--json").stdout.splitlines()
    found = {json.loads(line)["reason"] for line in lines}
    assert expected <= found
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
