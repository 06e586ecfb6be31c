"""What every recipe promises: a new one is tested by being there."""

from __future__ import annotations

import json
import tomllib
from contextlib import nullcontext
from pathlib import Path

import pytest
import yaml

from pipeline import recipes
from pipeline.core.errors import PipelineError
from pipeline.encoders import speaker
from pipeline.params import parse
from pipeline.project import layout
from tests.command import call
from tests.dataset import HERE

NAMES = recipes.names()
PACKAGE = HERE / "pipeline"


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of a recipe, whose params.yaml a test may replace."""
    folder = tmp_path_factory.mktemp("recipes") / "stamps"
    code, output = call("init", str(folder), "--recipe", "stamps")
    assert (code, "`dvc repro`" in output) == (0, True), output
    return folder


def test_a_recipe_is_laid_out_with_its_graphs(laid_out: Path) -> None:
    assert (laid_out / "params.yaml").read_text() == (HERE / "params.yaml").read_text()
    copy = Path("recipes", "comparison.dvc.yaml")
    assert (laid_out / copy).read_text() == (HERE / copy).read_text()
    assert (laid_out / "dvc.yaml").is_file()


@pytest.fixture
def no_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the checkpoint that comes in no extra lay there."""
    monkeypatch.setattr(speaker, "weights", lambda options: [])


@pytest.mark.parametrize("name", NAMES)
def test_its_params_pass_the_check_without_data(
    name: str, laid_out: Path, no_checkpoint: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipes.load(name)
    if lacking := recipes.missing_extras(recipe.about):
        pytest.skip(f"not installed: {', '.join(lacking)}")
    params = parse(yaml.safe_load(recipe.params))
    assert params.fetched, "its data come by themselves"
    (laid_out / "params.yaml").write_text(recipe.params)
    monkeypatch.chdir(laid_out)
    code, output = call("check")
    assert (code, "not fetched yet" in output) == (0, True), output


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_is_and_what_it_takes(name: str) -> None:
    about = recipes.load(name).about
    project = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
    assert {*about.extras} <= {*project["optional-dependencies"]}
    assert about.minutes <= 15, "by its default settings"
    assert about.memory_gb <= 4, "by its default settings"
    page = (HERE / "docs" / "recipes" / f"{name}.md").read_text()
    assert page.startswith(f"# {about.title}\n")
    assert f"pipeline init {name} --recipe {name}" in page
    assert f"]({name}.md)" in (HERE / "docs" / "recipes" / "README.md").read_text()


def test_the_wheel_holds_its_files() -> None:
    setuptools = tomllib.loads((HERE / "pyproject.toml").read_text())["tool"]["setuptools"]
    packed = {path for g in setuptools["package-data"]["pipeline"] for path in PACKAGE.glob(g)}
    listed = {path for path in (PACKAGE / "recipes").rglob("*") if path.is_file()}
    assert {path for path in listed if path.suffix not in (".py", ".pyc")} <= packed


def test_the_command_tells_them_all() -> None:
    code, output = call("recipes", "--json")
    rows = [json.loads(line) for line in output.splitlines()]
    assert (code, [row["recipe"] for row in rows]) == (0, NAMES)
    for row in rows:
        assert row["bytes"] == sum(data["bytes"] for data in row["data"])
    code, output = call("recipes")
    assert (code, [line.split("\t")[0] for line in output.splitlines()[1:]]) == (0, NAMES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--recipe", "nothing"], "unknown recipe 'nothing'; there are: "),
        (["--recipe", "../project"], "unknown recipe"),
        (["--recipe", "stamps", "--data", "."], "give --recipe or --data"),
    ],
)
def test_nothing_is_laid_out_of_what_cannot_be(
    inside: Path, arguments: list[str], message: str
) -> None:
    code, output = call("init", "mine", *arguments)
    assert (code, message in output) == (1, True), output
    assert not Path("mine").exists()


def test_an_extra_that_is_not_installed_is_named(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs = ["numpy>=1", "absent>=1; extra == 'far'", "numpy<1; extra == 'old'"]
    monkeypatch.setattr(recipes, "requires", lambda name: [*needs, "numpy; extra == 'here'"])
    known = recipes.load("stamps")
    about = known.about.model_copy(update={"extras": ("here", "far", "old")})
    assert recipes.missing_extras(about) == ["far", "old"]
    monkeypatch.setattr(recipes, "load", lambda name: recipes.Recipe(name, about, known.params))
    monkeypatch.setattr(layout, "new_project", lambda folder, params: nullcontext())
    code, output = call("init", "mine", "--recipe", "stamps")
    assert (code, "pip install 'multimodal-pipeline[far,old]'" in output) == (0, True), output


def test_an_about_that_lacks_something_is_told_whole(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipes, "files", lambda package: inside)
    Path("half").mkdir()
    Path("half", "about.yaml").write_text("title: Half\nbytes: 1\nminutes: 0\n")
    with pytest.raises(PipelineError) as told:
        recipes.load("half")
    wrong = {line.split(":")[0].strip() for line in str(told.value).splitlines()[1:]}
    assert wrong == {"summary", "data", "bytes", "minutes", "memory_gb"}
