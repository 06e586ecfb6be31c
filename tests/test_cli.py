from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from pipeline import parts
from pipeline.cli import app
from pipeline.execution.local import Serial
from tests.dataset import params
from tests.toy import Square, function, rows

CALL = CliRunner()


def call(*arguments: str) -> tuple[int, str]:
    done = CALL.invoke(app, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@pytest.fixture
def refused(inside: Path) -> None:
    work = Square(function())
    planned = parts.plan(work.fingerprint, rows([1, -2]), 4, 10**6)
    parts.run(Path("data/clean/image"), work, planned, lambda _: Serial(), 1.0)


def test_version() -> None:
    assert call("--version") == (0, "0.1.0\n")


def test_a_mistake_ends_in_its_message(inside: Path) -> None:
    code, output = call("check")
    assert code == 1
    assert "there is no params.yaml here" in output
    Path("params.yaml").write_text(yaml.safe_dump({**params(), "seed": "x"}))
    code, output = call("check")
    assert code == 1
    assert "seed: give a whole number" in output


def test_check_says_what_the_machine_lacks(inside: Path) -> None:
    asked = params()
    asked["features"]["colour_hog"] = {"modality": "image", "encoder": "efficientnet_lite0"}  # type: ignore[index]
    asked["features"]["colour_hog"] |= {"backend": "torch", "device": "cuda"}  # type: ignore[index]
    Path("params.yaml").write_text(yaml.safe_dump(asked))
    code, output = call("check")
    assert code == 1
    assert "this folder is no DVC project" in output
    assert "git has no commit" in output
    assert "features.colour_hog: params.yaml asks for `device: cuda`" in output


def test_check_finds_what_dvc_would_wait_for(inside: Path) -> None:
    Path("params.yaml").write_text(yaml.safe_dump(params()))
    Path("data/raw/shapes/b").mkdir(parents=True)
    os.mkfifo("data/raw/shapes/b/pipe.png")
    code, output = call("check")
    assert code == 1
    assert "add /data/raw/shapes/b/pipe.png to .dvcignore" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("stage", "cleam"), "unknown stage 'cleam'; there are: augment, clean"),
        (("stage", "clean", "smell"), "unknown item 'smell'; there are: audio, image, text"),
        (("stage", "clean", "image"), "has no manifest.json: run `dvc repro`"),
    ],
)
def test_a_stage_that_cannot_run_says_why(
    inside: Path, arguments: tuple[str, ...], message: str
) -> None:
    Path("params.yaml").write_text(yaml.safe_dump(params()))
    code, output = call(*arguments)
    assert code == 1
    assert message in output


def test_rejects_are_shown_and_given_as_json(refused: None) -> None:
    code, output = call("rejects")
    assert code == 0
    assert "toy: 1 negative" in output
    code, output = call("rejects", "--json")
    (reject,) = [json.loads(line) for line in output.splitlines()]
    assert reject["reason"] == "negative"
    assert reject["message"] == "the number is below zero"
    code, output = call("rejects", "--stage", "tay")
    assert code == 1
    assert "there are: toy" in output


def test_rejects_before_any_stage(inside: Path) -> None:
    code, output = call("rejects")
    assert code == 1
    assert "run `dvc repro`" in output


def test_a_missing_report_says_what_to_run(inside: Path) -> None:
    code, output = call("report")
    assert code == 1
    assert "run `dvc repro` to make it" in output
