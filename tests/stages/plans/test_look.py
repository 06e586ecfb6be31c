"""DVC looks by itself where it sees nothing: at roots of sources, and at those alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.dataset import params, picture, put_batch, put_project, run, tree


@pytest.mark.slow
def test_repro_sees_what_changed_at_a_root(tmp_path: Path) -> None:
    project, far = tmp_path / "project", tmp_path / "far"
    put_project(project, executor="serial")
    put_batch(far / "b", 0, 2)
    document = params(executor="serial")
    document["sources"]["shapes"]["root"] = far.as_uri()  # type: ignore[index]
    document["look"] = {"shapes": {}}
    (project / "params.yaml").write_text(yaml.safe_dump(document))

    assert "Running stage 'ingest'" in run(project, "dvc", "repro", "clean").stdout
    before = tree(project)
    assert "Stage 'ingest' didn't change" in run(project, "dvc", "repro", "clean").stdout
    (far / "b" / "circle-0.png").write_bytes(picture("circle", 9))
    said = run(project, "dvc", "repro", "clean").stdout

    assert "Running stage 'ingest'" in said
    assert "Stage 'clean@text' didn't change" in said
    changed = {name for name, digest in tree(project).items() if before.get(name) != digest}
    assert {name for name in changed if name.startswith("clean/image/")}
    assert not {name for name in changed if name.startswith(("clean/audio/", "clean/text/"))}


@pytest.mark.slow
def test_without_roots_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    put_project(tmp_path, executor="serial")
    listed = run(tmp_path, "dvc", "stage", "list", "--name-only").stdout.split()
    assert "ingest" in listed
    assert not [name for name in listed if name.startswith("look")]
