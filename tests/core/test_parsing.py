"""Documents that nest without end are refused with their name; no parser is left to crash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.core.errors import PipelineError
from pipeline.core.parsing import parse_json, yaml_loader
from pipeline.params import load
from pipeline.parts.manifest import read_manifest
from pipeline.store.trees.revision import lock_outs
from pipeline.store.trees.tree import parse_params
from tests.dataset import params

SHAPES = {
    "lists": lambda levels: "[" * levels + "]" * levels,
    "mappings": lambda levels: "{a: " * levels + "}" * levels,
    "dashes": lambda levels: "- " * levels + "1",
}
DEPTHS = (400, 5000, 100_000)


@pytest.fixture(params=[(shape, levels) for shape in SHAPES for levels in DEPTHS], ids=str)
def deep(request: pytest.FixtureRequest) -> str:
    shape, levels = request.param
    return f"seed:\n  {SHAPES[shape](levels)}\n"


def test_deep_params_are_refused(inside: Path, deep: str) -> None:
    Path("params.yaml").write_text(deep)
    with pytest.raises(PipelineError, match=r"^params\.yaml"):
        load()


@pytest.mark.parametrize("levels", [100_000])
@pytest.mark.parametrize("shape", SHAPES)
def test_deep_documents_of_a_revision_are_refused(shape: str, levels: int) -> None:
    text = f"stages: \n  {SHAPES[shape](levels)}\n"
    with pytest.raises(PipelineError, match=r"^params\.yaml of v1 .*nests too deeply"):
        parse_params(text, "params.yaml of v1")
    with pytest.raises(PipelineError, match=r"^dvc\.lock of v1 .*nests too deeply"):
        lock_outs(text.encode(), "dvc.lock of v1")


@pytest.mark.parametrize(
    "text", ["seed: 1", b"seed: 1", "a: {b: [1, [2]]}\n", "long: " + 9000 * "x"]
)
def test_ordinary_documents_are_read(text: str | bytes) -> None:
    with yaml_loader(text, "it") as loader:
        found: Any = loader.get_single_data()
    assert found == yaml.safe_load(text)


@pytest.mark.parametrize("text", [b"\xff: 1", "a: 2024-13-01", "a: [", "a: \x00"])
def test_what_is_no_yaml_is_said(text: str | bytes) -> None:
    with (
        pytest.raises(PipelineError, match=r"^it is not YAML: "),
        yaml_loader(text, "it") as loader,
    ):
        loader.get_single_data()


def test_deep_json_is_no_json(tmp_path: Path) -> None:
    text = '{"parts": ' + "[" * 100_000 + "]" * 100_000 + "}"
    with pytest.raises(ValueError, match="nests too deeply"):
        parse_json(text)
    assert parse_json('{"a": [1]}') == json.loads('{"a": [1]}')
    (tmp_path / "_manifest.json").write_text(text)
    with pytest.raises(PipelineError, match=r"manifest\.json is damaged"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("name", ["params.yaml", "dvc.lock", ".dvc/tmp/rwlock"])
def test_check_names_a_deep_file(inside: Path, name: str) -> None:
    Path("params.yaml").write_text(yaml.safe_dump(params()))
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text("[" * 5000 + "]" * 5000)
    done = CliRunner().invoke(app, ["check"])
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert f"{name} is " in done.output
