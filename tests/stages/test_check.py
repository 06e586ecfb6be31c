"""What is missing is named before anything is computed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.params import parse
from pipeline.stages.check import check_project
from tests.params.test_reading import own


def test_the_network_that_a_tower_begins_as_is_looked_for(inside: Path) -> None:
    network = {"model": "package:nowhere/model"}
    changed = own(
        modalities=["text"],
        features={"f": {"modality": "text", "encoder": "transformer", **network}},
        models={
            "m": {
                "features": ["f"],
                "tower": {"kind": "bert", **network},
                "tasks": {"shape": {}},
                "primary": "shape",
            }
        },
    )
    with pytest.raises(PipelineError, match=r"models\.m\.towers\.f: model 'package:nowhere/model'"):
        check_project(parse(changed))
