"""Raw samples → features, by params that name the feature sets."""

from __future__ import annotations

import pytest

from pipeline.core.errors import PipelineError
from pipeline.inference.sample_encoder import SampleEncoder
from pipeline.params import parse
from pipeline.project.model_files import sections_of_features


def test_a_set_that_params_no_longer_name_is_told_beside_those_that_there_are() -> None:
    features = {"sound": {"modality": "audio", "encoder": "mfcc"}}
    document = {
        "sources": {"files": {"kind": "folder"}},
        "modalities": ["audio"],
        "features": features,
    }
    params = parse(sections_of_features(document, features))
    message = r"^unknown feature set 'voice'; there are: sound; take the revision whose params"
    with pytest.raises(PipelineError, match=message):
        SampleEncoder(params, ["sound", "voice"])
