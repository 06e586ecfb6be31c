"""Parts of clean content are cut by the bytes that they may hold, not by those of their files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.modalities.image.clean import Options
from pipeline.parts import manifest
from pipeline.stages.plans import clean, ingest
from tests.recipe import recipe

SIDE = Options().max_side


def pictures(folder: Path, count: int) -> int:
    """Pictures of which the files take a hundredth of what they decode to; the files' bytes."""
    folder.mkdir(parents=True)
    size = 0
    for number in range(count):
        picture = np.full((SIDE, SIDE, 3), 255, np.uint8)
        picture[:, : number + 9] = 0
        data = cv2.imencode(".png", picture)[1].tobytes()
        (folder / f"{number}.png").write_bytes(data)
        size += len(data)
    lines = [f"{number}.png,{number}" for number in range(count)]
    (folder / "metadata.csv").write_text("\n".join(["file_name,sample_id", *lines]) + "\n")
    return size


def test_parts_hold_no_more_decoded_bytes_than_they_may(inside: Path) -> None:
    most = 4 * 3 * SIDE**2
    params = recipe(
        sources={"pictures": {"kind": "folder"}}, parts={"mean_rows": 10**6, "max_bytes": most}
    )
    assert pictures(Path("data/raw/pictures/first"), 10) < most / 10
    ingest.plan(params).run()
    clean.plan(params, "image").run()
    tables = [table for _, table in manifest.read_each(Path("data/clean/image"))]
    assert [table.num_rows for table in tables] == [4, 4, 2]
    assert max(sum(map(len, table["data"].to_pylist())) for table in tables) == most


def test_films_are_planned_without_what_decodes_them() -> None:
    """A stage that has nothing to do costs what it loads."""
    pytest.importorskip("av")
    code = (
        "import sys; from pipeline.params import parse; from pipeline.stages.plans import clean; "
        "from pipeline.stages.work.clean_tracks import key_of; "
        "params = parse({'seed': 0, 'sources': {'s': {'kind': 'folder'}}, 'modalities': ['video'],"
        " 'targets': {}, 'models': {}}); "
        "assert clean.plan(params, 'video').work.fingerprint.parameters['ffmpeg']; "
        "assert key_of('digest', 'video/mp4', 'video'); "
        "print(sorted({'av', 'cv2', 'soundfile', 'pyarrow.compute'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
