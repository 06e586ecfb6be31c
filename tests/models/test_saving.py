from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.models.saving import load_model
from tests.models.training.test_loop import fit, save_to


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_to(tmp_path, fit(["pixels", "words"], epochs=1))
    return tmp_path


def refused(folder: Path) -> None:
    message = (
        "safetensors does not hold the weights that .*model.json describes: .* run `dvc repro`"
    )
    with pytest.raises(PipelineError, match=message):
        load_model(folder)


@pytest.mark.parametrize("changed", [{"fusion": "gated", "fusion_options": {}}, {"width": 4}])
def test_weights_of_another_configuration_are_refused(saved, changed):
    card = json.loads((saved / "model.json").read_text())
    if "width" in changed:
        card["options"]["tower"] |= changed
    else:
        card["options"] |= changed
    (saved / "model.json").write_text(json.dumps(card))
    refused(saved)


@pytest.mark.parametrize("kept", [0, 100, -1])
def test_weights_that_are_cut_off_are_refused(saved, kept):
    weights = saved / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:kept])
    refused(saved)


@pytest.mark.parametrize(
    "card", ["", "[]", "{", "null", '{"options": 1}', "[" * 100_000, '{"options": {}, "tasks": 3}']
)
def test_a_card_that_describes_no_model_is_refused(saved, card):
    (saved / "model.json").write_text(card)
    with pytest.raises(PipelineError, match=r"model.json is damaged: .*dvc repro"):
        load_model(saved)
