"""`pipeline predict` on a project that has run."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from tests.command import call
from tests.dataset import picture, sound

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(autouse=True)
def here(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "circle.png").write_bytes(picture("circle", 3))
    (tmp_path / "circle.wav").write_bytes(sound("circle", 3))
    return tmp_path


def test_every_form_tells_the_same(files: Path) -> None:
    told = {}
    for suffix in (".parquet", ".jsonl", ".csv"):
        out = files / f"answers{suffix}"
        asked = ("--model", "gated", "--explain", "--out", str(out))
        code, output = call("predict", *asked, str(files / "circle.png"), "--text", "a circle")
        assert (code, "2 samples, 2 answered, 0 refused contents" in output) == (0, True)
        told[suffix] = out
    rows = [json.loads(line) for line in told[".jsonl"].read_text().splitlines()]
    assert [row["sample_id"] for row in rows] == ["1", str(files / "circle.png")]
    stored = pq.read_table(told[".parquet"]).to_pylist()
    for row, other in zip(rows, stored, strict=True):
        assert row["answer.shape"] == other["answer.shape"]
        shares = [np.float32(share) for share in row["probabilities.shape"].values()]
        assert shares == [share for _, share in other["probabilities.shape"]]
        assert list(row["contributions.shape"]) == row["present"]
    with told[".csv"].open(newline="") as file:
        cells = list(csv.DictReader(file))
    assert [json.loads(row["probabilities.shape"]) for row in cells] == [
        row["probabilities.shape"] for row in rows
    ]


def test_a_pipe_gets_lines_and_json_the_whole_row(files: Path) -> None:
    code, output = call("predict", str(files / "circle.png"), "--model", "image")
    head, row, told = output.splitlines()
    assert code == 0
    assert head.split("\t")[:3] == ["sample_id", "answer.shape", "confidence.shape"]
    assert row.split("\t")[0] == str(files / "circle.png")
    assert told == "predict: 1 samples, 1 answered, 0 refused contents"
    code, output = call("predict", str(files / "circle.png"), "--model", "image", "--json")
    assert set(json.loads(output.splitlines()[0])["probabilities.shape"]) == {
        "circle",
        "cross",
        "square",
    }


def test_bad_files_are_rows_with_reasons_among_many_good_ones(files: Path) -> None:
    folder = files / "many"
    folder.mkdir()
    for i in range(200):
        (folder / f"{i:03}.png").write_bytes(picture("cross", i % 10))
    (folder / "100.png").write_bytes(b"no picture")
    (folder / "archive.zip").write_bytes(b"PK\x03\x04")
    out = files / "many.parquet"
    code, output = call("predict", str(folder), "--model", "image", "--out", str(out))
    assert code == 3
    assert "201 samples, 199 answered, 1 refused contents" in output
    rows = pq.read_table(out).to_pylist()
    unanswered = {
        Path(row["sample_id"]).name: [refusal["reason"] for refusal in row["refused"]]
        for row in rows
        if row["answer.shape"] is None
    }
    assert unanswered["archive.zip"] == ["unknown_media_type"]
    assert unanswered["100.png"][1:] == ["no_modality"]
    assert len(rows) == 201


def test_odd_contents_are_answered_or_refused(files: Path) -> None:
    samples = np.zeros(8000, np.float32)
    samples[4000] = np.nan
    file = io.BytesIO()
    soundfile.write(file, samples, 16_000, format="WAV", subtype="FLOAT")
    (files / "nan.wav").write_bytes(file.getvalue())
    with (files / "huge.png").open("wb") as huge:
        huge.truncate(2 << 30)
    os.mkfifo(files / "endless.png")
    (files / "linear_b.txt").write_text("𐀀𐀁𐀂 𐀃𐀄")
    out = files / "odd.jsonl"
    asked = [str(files / n) for n in ("nan.wav", "huge.png", "endless.png", "linear_b.txt")]
    code, _ = call("predict", *asked, "--model", "gated", "--out", str(out))
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    first = [[refusal["reason"] for refusal in row["refused"]][:1] for row in rows]
    assert code == 3
    assert first == [["not_finite"], ["too_large"], ["not_a_file"], []]
    assert rows[3]["answer.shape"] in ("circle", "cross", "square")


def test_a_mistake_writes_nothing_and_exits_with_1(files: Path) -> None:
    (files / "nothing").mkdir()
    (files / "there.csv").write_text("")
    picture_file = str(files / "circle.png")
    for arguments, message in (
        ([picture_file, "--model", "nose"], "unknown model"),
        ([picture_file], "unknown model in the work tree 'champion'"),
        ([picture_file, "--model", "gated", "--task", "smell"], "unknown task"),
        ([str(files / "nothing"), "--model", "gated"], "holds no files"),
        ([picture_file, "--model", "gated", "--rev", "no-such"], "unknown revision"),
    ):
        out = files / "out.csv"
        code, output = call("predict", *arguments, "--out", str(out))
        assert (code, message in output) == (1, True), output
        assert not out.exists()
    for out, message in (
        ("there.csv", "is there already"),
        ("out.txt", "predictions are written as one of .parquet, .csv, .jsonl"),
        ("no/out.csv", "there is no folder"),
    ):
        asked = ("--model", "image", "--out", str(files / out))
        code, output = call("predict", picture_file, *asked)
        assert (code, message in output) == (1, True), output
    assert not list(files.glob(".*.tmp"))


def test_a_model_without_that_modality_has_no_answer(files: Path) -> None:
    code, output = call("predict", str(files / "circle.wav"), "--model", "image", "--json")
    row = json.loads(output.splitlines()[0])
    assert code == 3
    assert row["answer.shape"] is None
    assert row["refused"][0]["message"].endswith("reads image, and the sample has audio alone")


def test_a_model_of_a_revision_answers_as_the_work_tree_does(files: Path, project: Path) -> None:
    for command in (
        ["git", "add", "--all"],
        ["git", "-c", "user.name=T", "-c", "user.email=t@e.org", "commit", "-qm", "ran"],
    ):
        subprocess.run(command, cwd=project, check=True)
    asked = ("predict", str(files / "circle.png"), "--model", "gated", "--json")
    rows = [json.loads(call(*asked, *rev)[1].splitlines()[0]) for rev in ((), ("--rev", "HEAD"))]
    here, then = ({k: v for k, v in row.items() if k != "revision"} for row in rows)
    assert here == then
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=project, check=True, capture_output=True, text=True
    ).stdout.strip()
    assert rows[1]["revision"] == head
    (project / "aliases.yaml").write_text(f"champion: {{model: gated, revision: {head}}}\n")
    _, output = call("predict", str(files / "circle.png"), "--json")
    assert json.loads(output.splitlines()[0]) == rows[1]
