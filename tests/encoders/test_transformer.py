from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from pipeline.core.errors import PipelineError
from pipeline.encoders.transformer import Encoder, Options, parameters, shape, weights
from tests.encoders import tiny_models
from tests.encoders.tiny_models import WORDS

TEXTS = ["wolf", "A big wolf", "the moon at a big grey wolf howls", "zebra"]


@pytest.fixture(scope="module")
def folder() -> Path:
    """A BERT of two layers and random weights, as `save_pretrained` leaves one."""
    return tiny_models.folder("bert")


def options(folder: Path, **changes: Any) -> Options:
    return Options(model=str(folder), **{"max_tokens": 16, **changes})


def encode(folder: Path, texts: list[str], **changes: Any) -> np.ndarray:
    return Encoder(options(folder, **changes)).encode(texts)[0]


def states(folder: Path, text: str) -> np.ndarray:
    """The last layer's states by the library alone, (tokens, 16)."""
    from transformers import AutoModel

    words = text.lower().split()
    ids = [2, *(4 + WORDS.index(word) if word in WORDS else 1 for word in words), 3]
    with torch.inference_mode():
        output = AutoModel.from_pretrained(folder)(input_ids=torch.tensor([ids]))
    last: np.ndarray = output.last_hidden_state[0].numpy()
    return last


@pytest.mark.parametrize("backend", ["onnxruntime", "torch"])
def test_mean_of_the_states_scaled_to_length_one(folder: Path, backend: str) -> None:
    vectors = encode(folder, TEXTS, backend=backend)
    for vector, text in zip(vectors, TEXTS, strict=True):
        mean = states(folder, text).mean(0)
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-6)


def test_the_first_state_as_it_is(folder: Path) -> None:
    vectors = encode(folder, TEXTS, pooling="cls", normalise=False)
    for vector, text in zip(vectors, TEXTS, strict=True):
        np.testing.assert_allclose(vector, states(folder, text)[0], atol=1e-5)


@pytest.mark.parametrize("backend", ["onnxruntime", "torch"])
def test_a_row_depends_on_nothing_but_itself(folder: Path, backend: str) -> None:
    encoder = Encoder(options(folder, backend=backend))
    together = encoder.encode(TEXTS)[0]
    reverse = encoder.encode(TEXTS[::-1])[0][::-1]
    alone = np.concatenate([encoder.encode([text])[0] for text in TEXTS])
    assert together.tobytes() == reverse.tobytes() == alone.tobytes()


def test_opened_again_it_makes_the_same_bytes(folder: Path) -> None:
    assert encode(folder, TEXTS).tobytes() == encode(folder, TEXTS).tobytes()


def test_a_lower_precision_is_near(folder: Path) -> None:
    exact = encode(folder, TEXTS)
    rough = encode(folder, TEXTS, backend="torch", precision="bfloat16")
    assert rough.dtype == np.float32
    assert 0 < np.abs(exact - rough).max() < 0.05


def test_a_text_is_read_up_to_max_tokens(folder: Path) -> None:
    longer, shorter = encode(folder, ["wolf moon big", "wolf moon"], max_tokens=4)
    np.testing.assert_array_equal(longer, shorter)


def test_a_prefix_is_read_as_part_of_the_text(folder: Path) -> None:
    with_prefix = encode(folder, ["wolf"], prefix="the ")
    np.testing.assert_array_equal(with_prefix, encode(folder, ["the wolf"]))


def test_shape_and_lengths(folder: Path) -> None:
    vectors, lengths = Encoder(options(folder)).encode(TEXTS)
    assert vectors.shape == (4, *shape(options(folder))) == (4, 16)
    np.testing.assert_array_equal(lengths, np.ones(4, np.int32))
    assert lengths.dtype == np.int32


@pytest.mark.parametrize("backend", ["onnxruntime", "torch"])
def test_states_stay_a_sequence(folder: Path, backend: str) -> None:
    asked = {"pooling": "sequence", "normalise": False, "backend": backend, "max_tokens": 12}
    texts = [*TEXTS, "wolf " * 20]
    sequences, lengths = Encoder(options(folder, **asked)).encode(texts)
    assert sequences.shape == (5, *shape(options(folder, **asked))) == (5, 12, 16)
    assert lengths.tolist() == [3, 5, 10, 3, 12]
    for text, sequence, length in zip(TEXTS, sequences, lengths, strict=False):
        np.testing.assert_allclose(sequence[:length], states(folder, text), atol=1e-5)
        assert not sequence[length:].any()
    (alone,), _ = Encoder(options(folder, **asked)).encode(texts[2:3])
    assert alone.tobytes() == sequences[2].tobytes()


def test_planning_loads_no_heavy_library(folder: Path) -> None:
    script = (
        "import sys; from pipeline.encoders.transformer import *\n"
        f"options = Options(model={str(folder)!r}); shape(options); weights(options)\n"
        "print({'torch', 'transformers', 'onnxruntime', 'tokenizers'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", script]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "set()\n"


def test_weights_are_what_is_read(folder: Path) -> None:
    names = [path.name for path in weights(options(folder))]
    assert names == ["config.json", "tokenizer.json", "model.safetensors"]


def test_a_missing_file_is_named(folder: Path, tmp_path: Path) -> None:
    part = shutil.copytree(folder, tmp_path / "part")
    (part / "tokenizer.json").unlink()
    with pytest.raises(PipelineError, match=r"no tokenizer\.json; save it"):
        weights(options(part))


def test_a_folder_that_holds_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="holds no model"):
        shape(options(tmp_path))


def test_a_config_without_a_size_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(PipelineError, match="states no hidden_size"):
        shape(options(tmp_path))


def test_more_tokens_than_positions_are_refused(folder: Path) -> None:
    with pytest.raises(PipelineError, match="at most 24 tokens; lower max_tokens, which is 25"):
        Encoder(options(folder, max_tokens=25))


def test_a_model_that_is_nowhere_is_refused() -> None:
    with pytest.raises(PipelineError, match="is no folder here"):
        weights(Options(model="no/such/model"))


@pytest.mark.parametrize("changes", [{"device": "cuda"}, {"precision": "float16"}])
def test_onnxruntime_is_for_the_cpu_in_float32(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="use backend: torch"):
        Options(model="any", **changes)


def test_a_model_in_a_folder_is_known_by_its_files_and_not_by_its_path(folder: Path) -> None:
    assert "model" not in parameters(Options(model=str(folder)))
    assert parameters(Options(model="some/name"))["model"] == "some/name"
