"""Faces on constructed pictures, by networks whose answers can be told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import PipelineError, Rejected
from pipeline.encoders import face
from tests.encoders.tiny_faces import CELL, detector, recogniser


def options(**changed: object) -> face.Options:
    return face.Options(detector=str(detector()), recogniser=str(recogniser()), **changed)


def picture(*cells: tuple[int, int, tuple[int, int, int]]) -> np.ndarray:
    """Black, 128 by 96, with cells of a colour at (column, row)."""
    image = np.zeros((96, 128, 3), np.uint8)
    for column, row, colour in cells:
        image[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL] = colour
    return image


def encode(image: np.ndarray) -> np.ndarray:
    (vector,), _ = face.Encoder(options()).encode([image])
    return vector


def test_a_face_is_the_same_wherever_it_is_and_another_is_not() -> None:
    orange, white = (255, 230, 200), (255, 255, 255)
    here, there = encode(picture((0, 0, orange))), encode(picture((3, 2, orange)))
    other = encode(picture((3, 2, white)))
    assert here @ there == pytest.approx(1, abs=1e-4)
    assert here @ other < 0.999
    assert np.linalg.norm(here) == pytest.approx(1, abs=1e-5)


def test_the_face_is_cut_out_before_it_is_recognised() -> None:
    """Its colours are the cell's, red first: what lies around it does not count."""
    vector = encode(picture((1, 1, (255, 230, 200)), (3, 1, (90, 90, 255))))
    red, green, blue = vector.reshape(3, 4).mean(1)
    assert blue < green < red
    assert red / blue == pytest.approx(255 / 200, rel=0.1)


def test_a_picture_without_a_face_is_refused() -> None:
    with pytest.raises(Rejected) as told:
        encode(picture((1, 1, (120, 120, 120))))
    assert told.value.reason == "no_face"
    with pytest.raises(Rejected, match="no face"):
        face.Encoder(options(least_side=CELL + 1)).encode([picture((1, 1, (255, 255, 255)))])


def test_where_the_networks_lie_is_in_no_key() -> None:
    assert face.parameters(options()) == {"least_score": 0.8, "least_side": 10}
    assert face.weights(options()) == [detector(), recogniser()]
    assert face.shape(options()) == (12,)


def test_networks_that_are_none_are_told(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"there is no file .*gone\.onnx: .*opencv_zoo"):
        face.weights(options().model_copy(update={"detector": "gone.onnx"}))
    (tmp_path / "noise.onnx").write_bytes(b"\xff" * 100)
    wrong = options().model_copy(update={"recogniser": str(tmp_path / "noise.onnx")})
    with pytest.raises(PipelineError, match=r"is no ONNX file of a recogniser"):
        face.shape(wrong)
    with pytest.raises(PipelineError, match="OpenCV cannot read the face networks"):
        face.Encoder(options().model_copy(update={"detector": str(tmp_path / "noise.onnx")}))
    with pytest.raises(PipelineError, match="are both called"):
        face.weights(options().model_copy(update={"detector": str(recogniser())}))
