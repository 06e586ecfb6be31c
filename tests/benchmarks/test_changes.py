"""The benchmark drives the command line: it must stay in step with stages and run records."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import changes, ours
from benchmarks.corpus import put_batch
from benchmarks.kernels import params
from tests.dataset import picture, sound


def batch(folder: Path, first: int) -> Path:
    """Two pictures and two recordings."""
    raw = folder / f"raw-{first}"
    raw.mkdir()
    for i in (first, first + 1):
        (raw / f"{i}.png").write_bytes(picture("square", i))
        (raw / f"{i}.wav").write_bytes(sound("square", i))
    chosen = {"image": sorted(raw.glob("*.png")), "audio": sorted(raw.glob("*.wav"))}
    put_batch(folder / f"batch-{first}", chosen)
    return folder / f"batch-{first}"


def test_a_project_s_params_are_valid_and_keep_the_kernels(tmp_path: Path) -> None:
    from pipeline.params import load

    ours.put_project(tmp_path, "processes", 2)
    made = load(tmp_path / "params.yaml")
    assert made.clean == {name: params().clean[name] for name in ours.MODALITIES}
    assert all(made.features[name] == params().features[name] for name in made.features)
    assert {options.views for options in made.augment.values()} == {0}
    assert (made.execution.executor, made.execution.workers) == ("processes", 2)


@pytest.mark.slow
def test_new_rows_and_a_comment_compute_what_they_should(tmp_path: Path) -> None:
    project = tmp_path / "project"
    ours.put_project(project, "serial", 1)
    ours.add_batch(project, batch(tmp_path, 0))
    assert ours.run(project).keys() == set(changes.LABELS)
    added = changes.add(project, batch(tmp_path, 2), 1)
    assert added["rows"] == 4
    assert {stage["computed"] for stage in added["stages"].values()} == {1}
    assert {stage["reused"] for stage in added["stages"].values()} == {1}

    edited = changes.comment(tmp_path / "edited", batch(tmp_path, 4), 1)
    assert {stage["computed"] for stage in edited["stages"].values()} == {0}
    assert edited["cpu_s"] > sum(stage["cpu_s"] for stage in edited["stages"].values())
