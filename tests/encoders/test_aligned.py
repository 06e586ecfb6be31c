from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.registry import load
from tests.encoders import examples, tiny_models

NAMES = ("aligned_audio", "aligned_image", "aligned_text")


@pytest.mark.parametrize("name", NAMES)
def test_vectors_of_all_modalities_have_one_length_and_width(name: str) -> None:
    kind, options = load("encoders", name), examples.options(name)
    values, _ = kind.Encoder(options).encode(examples.contents(kind.MODALITY))
    assert values.shape[1:] == kind.shape(options) == (6,)
    assert np.allclose(np.linalg.norm(values, axis=1), 1, atol=1e-6)


def test_it_is_known_by_its_files_and_by_the_encoders_that_they_name(tmp_path: Path) -> None:
    kind = load("encoders", "aligned_image")
    copy = shutil.copytree(tiny_models.aligned(), tmp_path / "elsewhere")
    options = kind.Options(model=str(copy))
    assert kind.parameters(options) == {}
    assert [path.name for path in kind.weights(options)] == ["image.json", "image.onnx"]
    assert set(kind.modules(options)) == {"pipeline.encoders.colour_hog"}
    told = json.loads((copy / "image.json").read_text())
    assert [each["name"] for each in told["sets"]] == ["colours", "seen"]


def test_a_folder_that_holds_no_such_model_is_refused_with_the_command(tmp_path: Path) -> None:
    kind = load("encoders", "aligned_text")
    with pytest.raises(PipelineError, match=r"no text.json and no text.onnx: `pipeline freeze"):
        kind.weights(kind.Options(model=str(tmp_path)))
