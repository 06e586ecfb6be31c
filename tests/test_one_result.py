"""The same bytes, however DVC keeps its cache, and from whichever folder it runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.dataset import put_batch, put_project, run, run_stages, tree

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def data(folder: Path) -> dict[str, str]:
    """What the stages up to curate have made."""
    models = ("models/", "evaluation/", "reports/")
    return {name: md5 for name, md5 in tree(folder).items() if not name.startswith(models)}


@pytest.fixture(scope="module")
def with_more(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which a second batch has been through all stages, of which DVC knows nothing."""
    folder = tmp_path_factory.mktemp("more") / "project"
    put_project(folder, executor="serial")
    shutil.copytree(project / "data" / "raw", folder / "data" / "raw")
    put_batch(folder / "data" / "raw" / "shapes" / "extra", 50, 2)
    run_stages(folder)
    return folder


@pytest.mark.parametrize("links", ["copy", "hardlink", "symlink"])
def test_cache_links_change_nothing(
    project: Path, with_more: Path, tmp_path: Path, links: str
) -> None:
    """Stages work on outputs that are links into the cache."""
    other = tmp_path / "a" / "longer" / "path"
    shutil.copytree(with_more, other, symlinks=True)
    run(other, "dvc", "config", "cache.type", links)
    run(other, "dvc", "commit", "--quiet", "--force")
    raw = other / "data" / "raw" / "shapes"
    assert_linked(other, links)
    shutil.rmtree(raw / "extra")
    cached = {path: path.read_bytes() for path in (other / ".dvc/cache/files").rglob("*.parquet")}
    run(other, "dvc", "repro", "extract@colour_hog", "extract@mfcc", "extract@hashing", "curate")
    assert data(other) == data(project)
    assert all(path.read_bytes() == held for path, held in cached.items())
    run(other, "dvc", "checkout", "--allow-missing", "--relink")
    assert data(other) == data(project)
    assert_linked(other, links)


def assert_linked(folder: Path, links: str) -> None:
    for part in (folder / "data" / "features" / "mfcc").glob("*.parquet"):
        assert part.is_symlink() == (links == "symlink")
        assert (part.stat().st_nlink > 1) == (links == "hardlink")


def test_a_read_only_output_is_said_and_healed(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file in the place of its folder is an output that nobody may write, not even root."""
    other = tmp_path / "other"
    shutil.copytree(project, other, symlinks=True)
    shutil.rmtree(other / "data" / "clean" / "audio")
    (other / "data" / "clean" / "audio").write_text("in the way")
    monkeypatch.chdir(other)
    with pytest.raises(AssertionError, match=r"data/clean/audio/_manifest\.json: Not a directory"):
        run(other, "pipeline", "stage", "clean", "audio")
    (other / "data" / "clean" / "audio").unlink()
    run(other, "pipeline", "stage", "clean", "audio")
    assert tree(other) == tree(project)
