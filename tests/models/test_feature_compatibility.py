from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.models.feature_compatibility import check_features
from pipeline.parts.fingerprint import fingerprint
from pipeline.stages.plans import evaluate, train
from tests.models.synthetic import options
from tests.stages.plans.stored import params, store_world

MADE = fingerprint("extract/mfcc", ["pipeline.core.files.digest"], {"bands": 64})


def test_the_same_features_are_taken() -> None:
    check_features("m", {"voice": asdict(MADE)}, {"voice": asdict(MADE), "other": {}})


def test_every_difference_is_named() -> None:
    changed = replace(
        MADE,
        parameters={"bands": 80},
        weights={"w.onnx": "1"},
        libraries={**MADE.libraries, "numpy": "9"},
        processor="other",
    )
    trained = {"voice": asdict(MADE), "look": asdict(MADE)}
    with pytest.raises(PipelineError) as error:
        check_features("m", trained, {"voice": asdict(changed)})
    for message in ("voice: parameter bands: 64 → 80", "weights w.onnx new", "library numpy",
                 "processor", "look: it is not there", "dvc repro train@m"):  # fmt: skip
        assert message in str(error.value)


def test_provenance_of_a_store_may_be_given() -> None:
    message = {"feature_set": "voice", "modality": "audio", "digest": "0", **asdict(MADE)}
    check_features("m", {"voice": asdict(MADE)}, {"voice": message})


def test_evaluation_refuses_a_model_of_other_features(inside: Path) -> None:
    store_world(Path("data"))
    chosen = {"m": options(features=["pixels"], fusion="none", epochs=1)}
    train.plan(params(chosen), "m").run()
    evaluate.plan(params(chosen), "m").run()
    manifest = Path("data/features/pixels/_manifest.json")
    text = manifest.read_text().replace('"parameters": {}', '"parameters": {"bands": 3}')
    assert text != manifest.read_text()
    manifest.write_text(text)
    with pytest.raises(PipelineError, match="parameter bands: absent → 3"):
        evaluate.plan(params({"m": chosen["m"]}, seed=9), "m").run()
