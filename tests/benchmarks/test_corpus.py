from __future__ import annotations

import csv
import io
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile

from benchmarks.corpus import put_batch, variant
from benchmarks.kernels import files
from tests.dataset import picture, sound


def pixels(data: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert image is not None
    return image


def test_a_picture_s_variants_have_other_pixels_and_the_same_size() -> None:
    data = picture("circle", 1)
    made = [pixels(variant(data, ".png", number)) for number in range(11)]
    assert len({image.tobytes() for image in made}) == 11
    assert {image.shape for image in made} == {made[0].shape}
    assert variant(data, ".png", 0) == data
    assert variant(data, ".png", 3) == variant(data, ".png", 3)


@pytest.mark.parametrize(("mode", "kind"), [("grey", np.uint8), ("rgba", np.uint16)])
def test_pictures_of_other_kinds_have_variants(mode: str, kind: type) -> None:
    shape = (20, 10) if mode == "grey" else (20, 10, 4)
    data = cv2.imencode(".png", np.full(shape, 9, kind))[1].tobytes()
    made = pixels(variant(data, ".png", 4))
    assert made.dtype == kind
    assert not np.array_equal(made, pixels(data))


def test_a_recording_s_variants_have_other_samples_and_the_same_length() -> None:
    data = sound("square", 2)
    made = [
        soundfile.read(io.BytesIO(variant(data, ".wav", number)), dtype="float32")[0]
        for number in range(11)
    ]
    assert len({samples.tobytes() for samples in made}) == 11
    assert {len(samples) for samples in made} == {8000}
    assert max(np.abs(samples - made[0]).max() for samples in made) < 0.01


def test_a_batch_holds_equal_files_once_and_is_made_once(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    for name, i in (("a", 0), ("b", 1), ("same", 1)):
        (raw / f"{name}.png").write_bytes(picture("cross", i))
    (raw / "c.wav").write_bytes(sound("cross", 0))
    chosen = {"image": sorted(raw.glob("*.png")), "audio": [raw / "c.wav"]}
    batch = tmp_path / "batch"
    put_batch(batch, chosen, range(3))
    assert len(files(batch, "image")) == 6
    assert len(files(batch, "audio")) == 3
    with (batch / "metadata.csv").open() as file:
        named = [row["file_name"] for row in csv.DictReader(file)]
    there = [p.relative_to(batch).as_posix() for m in chosen for p in files(batch, m)]
    assert sorted(named) == sorted(there)
    before = (batch / "metadata.csv").stat().st_mtime_ns
    put_batch(batch, {}, range(9))
    assert (batch / "metadata.csv").stat().st_mtime_ns == before
