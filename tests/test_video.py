"""Films go from raw files to a model and the page, beside pictures and alone."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from pipeline.inference.encoding import Encoding
from pipeline.inference.samples import read_asset
from pipeline.modalities.video.examples import animation, film
from pipeline.params import load, parse
from pipeline.project.model_files import sections_of_features
from pipeline.stages.graph import items
from pipeline.stages.run import find
from pipeline.store import open_store
from pipeline.store.rejects import collect, reject_folders
from pipeline.store.trees.tree import WorkTree
from tests.dataset import write_metadata

pytest.importorskip("av")
pytestmark = pytest.mark.slow


CLASSES = ("left", "right", "still")
STAGES = ("ingest", "clean", "augment", "extract", "curate", "train", "evaluate", "report")
KINDS = (("mp4", "libx264"), ("webm", "libvpx"), ("avi", "mpeg4"), ("mov", "libx264"))


def pictures(label: str, number: int) -> list[np.ndarray]:
    """A view of a rug that is another one in each film, and pans, but not in `still`."""
    rng = np.random.default_rng([CLASSES.index(label), number])
    rug = cv2.GaussianBlur(rng.integers(0, 256, (64, 128, 3), dtype=np.uint8), (0, 0), 3)
    rug = cv2.normalize(rug, None, 0, 255, cv2.NORM_MINMAX)
    places = {"left": range(0, 48, 4), "right": range(47, -1, -4), "still": [20] * 12}[label]
    return [np.ascontiguousarray(rug[:, place : place + 64]) for place in places]


def put(folder: Path, each: int) -> None:
    """Some have no film or no picture, one film is half and one a page of HTML."""
    folder.mkdir(parents=True)
    rows = []
    for label in CLASSES:
        for number in range(each):
            seen, name = pictures(label, number), f"{label}-{number}"
            row = {"sample_id": name, "image_file_name": f"{name}.png", "way": label}
            cv2.imwrite(str(folder / f"{name}.png"), seen[0][:, :, ::-1])
            if number == each - 1:
                row["video_file_name"] = f"{name}.gif"
                data = animation(".gif", seen)
            else:
                container, codec = KINDS[number % len(KINDS)]
                row["video_file_name"] = f"{name}.{container}"
                data = film(seen, container, codec)
            if (label, number) == ("left", 0):
                data = data[: len(data) // 2]
            if (label, number) == ("right", 0):
                data = b"<!DOCTYPE html><html>not found</html>"
            (folder / row["video_file_name"]).write_bytes(data)
            if number == 1:
                row["video_file_name"] = ""
                (folder / f"{name}.webm").unlink()
            if number == 2:
                row["image_file_name"] = ""
                (folder / f"{name}.png").unlink()
            rows.append(row)
    write_metadata(folder, rows)


def params() -> dict[str, Any]:
    model = {
        "fusion": "none",
        "tasks": {"way": {}},
        "primary": "way",
        "epochs": 40,
        "patience": 40,
        "learning_rate": 0.01,
        "views": 1,
        "tower": {"kind": "mlp", "hidden": 32, "width": 16},
    }
    return {
        "seed": 0,
        "sources": {"rugs": {"kind": "folder", "targets": {"way": "way"}}},
        "fetch": {},
        "modalities": ["image", "video"],
        "targets": {"way": {"kind": "multiclass"}},
        "clean": {"image": {}, "video": {"every_ms": 100, "reject_limit": 0.2}},
        "augment": {"image": {"views": 1}, "video": {"views": 1, "rotate": 0}},
        "features": {
            "look": {"modality": "image", "encoder": "colour_hog"},
            "motion": {"modality": "video", "encoder": "motion"},
            "frames": {
                "modality": "video",
                "encoder": "frames",
                "pictures": {"encoder": "colour_hog"},
                "frames": 4,
                "pooling": "sequence",
                "times": True,
            },
        },
        "curate": {"min_components_per_class": 3, "max_component_share": 0.5},
        "models": {
            "alone": {**model, "features": ["motion"]},
            "both": {
                **model,
                "features": ["look", "frames"],
                "fusion": "crossmodal",
                "epochs": 1,
                "towers": {"frames": {"kind": "gru", "width": 16, "times": True}},
            },
        },
        "evaluate": {"resamples": 100, "group_by": ["presence"]},
        "report": {"gallery": 3, "sheet": 1},
        "execution": {"executor": "serial"},
    }


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    put(folder / "data" / "raw" / "rugs" / "first", 14)
    (folder / "params.yaml").write_text(yaml.safe_dump(params()))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        loaded = load()
        for stage in STAGES:
            for item in items(loaded, stage):
                find(loaded, stage, item)(loaded, item).run()
    return folder


def test_every_row_is_there_or_refused_for_a_reason(project: Path) -> None:
    store = open_store(project)
    samples = store.samples()
    assert samples.num_rows == 42
    # Three samples came without each, and of two the film was refused.
    assert (samples["image"].null_count, samples["video"].null_count) == (3, 5)
    refused = collect(WorkTree(project / "data"), reject_folders(["image", "video"], ["motion"]))
    assert {(one.stage, one.reason, one.file.rpartition("/")[2]) for one in refused} == {
        ("clean/video", "truncated", "left-0.mp4"),
        ("clean/video", "undecodable", "right-0.mp4"),
    }


def test_sets_hold_views_and_sequences(project: Path) -> None:
    store = open_store(project)
    motion = store["motion"].to_numpy(["digest", "vector", "length"], view=1)
    assert motion["vector"].shape == (37, 36)
    frames = store["frames"].to_numpy(["digest", "vector", "length"], view=0)
    assert frames["vector"].shape == (37, 4, 1957)
    assert set(frames["length"]) == {4}


def test_what_moves_is_told_by_motion_and_a_fusion_trains(project: Path) -> None:
    """A picture of one moment can't tell left from right."""
    groups = (project / "data" / "evaluation" / "alone" / "metrics.json").read_text()
    assert json.loads(groups)["test"]["way"]["macro_f1"] > 0.6
    assert (project / "data" / "models" / "both" / "model.safetensors").is_file()


def test_a_film_that_is_asked_about_has_the_features_of_its_row(project: Path) -> None:
    store, sets = open_store(project), ["frames", "motion"]
    encoding = Encoding("video", parse(sections_of_features(store.tree.params, sets)), sets)
    raw = project / "data" / "raw" / "rugs" / "first"
    films = [path for path in sorted(raw.glob("still-[3-9].*")) if path.suffix != ".png"]
    cleaned = [encoding.clean(read_asset("video", path)) for path in films]
    assert len(cleaned) == 7
    for name in sets:
        for row, (values, _) in zip(cleaned, encoding.features(name, cleaned), strict=True):
            assert values.tobytes() == store[name].get(row["digest"])[0].tobytes()


def test_the_page_shows_contact_sheets_and_stays_small(project: Path) -> None:
    page = (project / "data" / "reports" / "index.html").read_text()
    sheets = re.findall(r'src="data:image/webp;base64,([^"]+)" [^>]*alt="Video', page)
    assert len(sheets) >= 2
    assert max(map(len, sheets)) < 30_000
    section = page[page.index('<section id="films"') :].partition("</section>")[0]
    assert section.count('class="reel"') == section.count("<img ") == 4
    assert section.count("<title>0:00.0 to 0:0") == 3 * 4  # what is true, and said by two models
    assert len(section) < 100_000
    assert len(page) < 400_000


def test_the_same_bytes_again(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands is not computed again, and what is gone comes out as it was."""
    monkeypatch.chdir(project)
    loaded, kept = load(), Path("data/kept")
    for stage, item, folder in (("clean", "video", "clean"), ("extract", "frames", "features")):
        made = Path("data", folder, item)
        assert find(loaded, stage, item)(loaded, item).run().computed == 0
        shutil.move(made, kept)
        assert find(loaded, stage, item)(loaded, item).run().computed > 0
        for path in kept.iterdir():
            assert path.read_bytes() == (made / path.name).read_bytes()
        shutil.rmtree(kept)
