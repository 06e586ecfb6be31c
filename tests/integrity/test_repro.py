"""What was damaged in a project that the graph made, after the repair and one `dvc repro`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.command import records
from tests.dataset import run, tree
from tests.integrity.whole import flip

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
KINDS = (
    "samples/*.parquet",
    "assets/image/*.parquet",
    "clean/audio/*.parquet",
    "augmented/text/*.parquet",
    "features/mfcc/*.parquet",
    "features/hashing/_manifest.json",
    "curated/*.parquet",
    "models/image/model.json",
    "models/gated/model.safetensors",
    "evaluation/gated/predictions.parquet",
    "reports/index.html",
    "ingest.json",
    "curated.json",
)


def test_removed_files_are_made_again_and_those_alone(project: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(project, other, symlinks=True)
    run(other, "pipeline", "validate", "--cache")
    before = tree(other)
    damaged = {sorted((other / "data").glob(pattern))[0] for pattern in KINDS}
    # Without a copy there is nothing to bring back.
    shutil.rmtree(other / ".dvc" / "cache" / "files" / "md5")
    for path in damaged:
        flip(path)
    done = run(other, "pipeline", "validate", "--repair").stderr
    assert done.count("removed, having no good copy") == len(damaged), done
    assert not [path for path in damaged if path.exists()]
    run(other, "dvc", "repro")
    assert tree(other) == before
    run(other, "pipeline", "validate", "--cache")
    ran = records(other, "runs")
    computed = {one["stage"]: one["computed"] for one in ran if one.get("computed")}
    assert computed["extract/mfcc"] == computed["clean/audio"] == 1
    assert "extract/colour_hog" not in computed
