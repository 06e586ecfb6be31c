"""What remedies name exists: options in params, reasons in the code."""

from __future__ import annotations

import re

from pipeline.core import remedies
from pipeline.params.resolved import resolved
from tests.dataset import HERE
from tests.recipe import recipe


def test_options_are_those_of_params() -> None:
    document = resolved(recipe(modalities=["audio", "image", "text", "video"]))
    for path in remedies.options():
        section = document if not path.startswith("execution") else {
            "execution": recipe().execution.model_dump()
        }  # fmt: skip
        for name in path.split("."):
            section = section[name]


def test_reasons_are_given_somewhere() -> None:
    code = "".join(
        path.read_text() for path in (HERE / "pipeline").rglob("*.py") if path.name != "remedies.py"
    )
    stated = {reason for _, reason in remedies._OPTIONS} | remedies._MENDS.keys()
    assert stated <= set(re.findall(r'"([a-z_0-9]+)"', code))


def test_the_stage_tells_whose_option_it_is() -> None:
    assert "clean.audio.max_seconds" in remedies.remedy("clean/audio", "too_long")
    assert "clean.text.max_characters" in remedies.remedy("clean/text", "too_long")
    assert "clean.video.max_seconds" in remedies.remedy("clean/video", "too_long")
    assert "curate.min_components_per_class" in remedies.remedy("curate", "rare_class")
    assert remedies.remedy("clean/image", "undecodable") == ""
