"""The cache is found where DVC has it, without asking DVC."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_file
from pipeline.core.files.dvc_cache import cache_folder, dvc_folder, place
from pipeline.parts.dvc_restore import Cache
from pipeline.raw.listing import listing

LEVELS = ("system", "global", "repo", "local")
# What each level's file may say, and what DVC makes of it.
SAID = ("dir = ../at {level}", "dir = '../at {level}'", "type = copy\n    dir = {here}/x # or y")


@pytest.fixture
def project(inside: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in a subfolder of its repository, on a machine of its own."""
    for level in LEVELS:
        monkeypatch.setenv(f"DVC_{level.upper()}_CONFIG_DIR", str(inside / level))
    (inside / "repository" / ".dvc").mkdir(parents=True)
    project = inside / "repository" / "a" / "project"
    project.mkdir(parents=True)
    monkeypatch.chdir(project)
    return project


def config(level: str) -> Path:
    """The file that configures DVC at a level."""
    dvc = dvc_folder(Path())
    assert dvc is not None
    name = "config.local" if level == "local" else "config"
    path = (dvc if level in ("repo", "local") else dvc.parents[1] / level) / name
    path.parent.mkdir(exist_ok=True)
    return path


def found() -> Path:
    dvc = dvc_folder(Path())
    assert dvc is not None
    return cache_folder(dvc)


@pytest.mark.parametrize("said", SAID)
def test_it_is_where_dvc_says(project: Path, said: str) -> None:
    from dvc.config import Config

    dvc = str(dvc_folder(project))
    assert found() == project.parents[1] / ".dvc" / "cache"
    for level in LEVELS:  # each hides what those before said
        here = project.parents[2] / level
        config(level).write_text(f"[cache]\n    {said.format(level=level, here=here)}\n")
        assert str(found()) == Config(dvc)["cache"]["dir"], level
        assert level in str(found())


def test_it_is_where_dvc_itself_looks_for_the_user_s_configuration(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DVC_GLOBAL_CONFIG_DIR")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(project))
    mine = Path(subprocess.run([sys.executable, "-c", "import dvc.dirs as d; "
        "print(d.global_config_dir())"], capture_output=True, text=True, check=True
    ).stdout.strip())  # fmt: skip
    mine.mkdir(parents=True)
    (mine / "config").write_text("[cache]\n    dir = /shared\n")
    assert found() == Path("/shared")


@pytest.mark.parametrize("level", ["global", "repo", ""])
def test_a_link_into_it_is_a_file_and_what_it_holds_comes_back(project: Path, level: str) -> None:
    if level:
        config(level).write_text("[cache]\n    dir = ../shared\n    type = symlink\n")
    batch = project / "batch"
    batch.mkdir()
    (batch / "a").write_bytes(b"one")
    md5 = digest_file(batch / "a", "md5")
    held = found().joinpath(*place(md5))
    held.parent.mkdir(parents=True)
    shutil.move(batch / "a", held)
    (batch / "a").symlink_to(held)
    (batch / "out").symlink_to(config("repo").parent)

    assert listing(batch).files == {"a": 3}
    assert listing(batch).refused["out"][0] == "outside_folder"
    assert Cache().restore(md5, project / "again")
    assert (project / "again").read_bytes() == b"one"


def test_outside_a_repository_there_is_none(inside: Path) -> None:
    assert dvc_folder(inside) is None
    assert not Cache().holds("0" * 32)
    (inside / "batch").mkdir()
    (inside / "batch" / "out").symlink_to("/dev/null")
    assert listing(inside / "batch").refused["out"][0] == "outside_folder"


@pytest.mark.usefixtures("project")
def test_a_configuration_that_cannot_be_read_is_named() -> None:
    config("global").write_text("[cache\n")
    with pytest.raises(PipelineError, match="global/config cannot be read"):
        found()


def test_a_changed_configuration_is_read_again(project: Path) -> None:
    assert found() == project.parents[1] / ".dvc" / "cache"
    config("local").write_text("[cache]\n    dir = /elsewhere\n")
    assert found() == Path("/elsewhere")
