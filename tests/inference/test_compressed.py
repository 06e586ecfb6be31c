"""A compressed model answers for raw inputs as any other, and without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_file
from pipeline.inference.predictor import Predictor
from pipeline.inference.samples import Sample
from pipeline.models.compression import measure
from pipeline.packaging.package import write_package
from pipeline.params import load
from pipeline.stages.plans.compress import plan
from tests.dataset import picture

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
COMPRESS = {
    "small": {"model": "gated", "ways": ["quantise"], "margin": 100.0},
    "wrong": {"model": "gated", "ways": ["distil"], "margin": 0.001, "student": {"epochs": 1}},
}
ASK = """
import json, sys
from pipeline.inference.predictor import Predictor
from pipeline.inference.samples import Sample
answers = Predictor.load(sys.argv[1], "small").predict([Sample("a", {"text": "a circle"})]).answers
assert "torch" not in sys.modules, "torch is loaded"
print(json.dumps(answers["probabilities.shape"].to_pylist()))
"""


@pytest.fixture(scope="module")
def compressed(project: Path) -> Path:
    path = project / "params.yaml"
    params = yaml.safe_load(path.read_text()) | {"compress": COMPRESS}
    path.write_text(yaml.safe_dump(params))
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(project)
        patched.setattr(measure, "memory", lambda folder: {"cold_s": 1.0, "peak_mb": 1})
        for name in COMPRESS:
            plan(load(), name).run()
    return project


def test_it_answers_nearly_as_its_model(compressed: Path) -> None:
    samples = [
        Sample("whole", {"image": picture("cross", 1), "text": "a crossed cross"}),
        Sample("half", {"image": picture("circle", 2)}),
    ]
    answers = [
        Predictor.load(compressed, name).predict(samples).answers.to_pylist()
        for name in ("gated", "small")
    ]
    for before, after in zip(*answers, strict=True):
        assert after["present"] == before["present"]
        shares = [dict(each["probabilities.shape"]) for each in (before, after)]
        assert shares[1] == pytest.approx(shares[0], abs=0.1)


def test_torch_is_not_loaded_to_answer(compressed: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", ASK, str(compressed)], check=True, capture_output=True, text=True
    )
    ((shares, *_),) = [json.loads(told.stdout)]
    assert sum(share for _, share in shares) == pytest.approx(1.0)


def test_it_is_handed_over_as_any_other(compressed: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(compressed)
        write_package(load(), "small", tmp_path / "small")
        with pytest.raises(PipelineError, match="model 'wrong' is not offered"):
            write_package(load(), "wrong", tmp_path / "wrong")
    samples = [Sample("a", {"text": "a circle", "image": picture("circle", 2)})]
    answers, expected = (
        predictor.predict(samples).answers.drop_columns("revision")
        for predictor in (Predictor.open(tmp_path / "small"), Predictor.load(compressed, "small"))
    )
    assert answers.equals(expected)
    card = (tmp_path / "small" / "model_card.md").read_text()
    assert "Made from the model gated, in this order: quantise;" in card
    assert digest_file(tmp_path / "small" / "model.onnx") in card
    assert not (tmp_path / "small" / "model.safetensors").exists()


def test_one_that_missed_its_margin_is_refused_by_name(compressed: Path) -> None:
    with pytest.raises(PipelineError, match="model 'wrong' is not offered"):
        Predictor.load(compressed, "wrong")
