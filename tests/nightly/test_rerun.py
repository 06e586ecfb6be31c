"""An old night done again gives the same digests, and what does not is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.nightly.rerun import rerun
from tests.dataset import AUTHOR

GRAPH = """\
stages:
  shout:
    cmd: tr a-z A-Z < data/raw/shapes/a/notes.txt > same.txt
    deps: [data/raw]
    outs: [same.txt]
  clock: {cmd: date +%N > other.txt, deps: [same.txt], outs: [other.txt]}
"""


def command(*arguments: str) -> None:
    subprocess.run(arguments, check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A night by DVC itself, and a later commit in which all is gone."""
    project = tmp_path / "project"
    batch = project / "data" / "raw" / "shapes" / "a"
    batch.mkdir(parents=True)
    monkeypatch.chdir(project)
    (batch / "notes.txt").write_text("round")
    Path("dvc.yaml").write_text(GRAPH)
    command("git", "init", "--quiet")
    for arguments in (("init", "--quiet"), ("add", "--quiet", str(batch)), ("repro", "--quiet")):
        command(sys.executable, "-m", "dvc", *arguments)
    command("git", "add", "--all")
    command("git", *AUTHOR, "commit", "--quiet", "--message", "night")
    command("git", "tag", "nightly/2026-03-02")
    command("git", "rm", "--quiet", "dvc.lock", "data/raw/shapes/a.dvc")
    command("git", *AUTHOR, "commit", "--quiet", "--message", "later")
    return project


@pytest.mark.slow
def test_a_night_is_done_again_from_its_raw_data_alone(project: Path) -> None:
    count, other = rerun("2026-03-02", Path("../again"))
    assert (count, other) == (2, ["clock: other.txt"])
    assert Path("../again/same.txt").read_text() == "ROUND"
    standing = {path.name for path in Path("../again/.dvc/cache/files/md5").glob("*/*")}
    assert len(standing) == 4, "the batch and its file, and two outputs, are all of its cache"
    with pytest.raises(PipelineError, match="is there already"):
        rerun("2026-03-02", Path("../again"))
    with pytest.raises(PipelineError, match="unknown run"):
        rerun("2026-03-03", Path("../other"))
