from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cli.encoders import OWN, licence, page
from pipeline.core import registry

NAMES = registry.names("encoders")


def test_the_page_is_what_the_plug_ins_say() -> None:
    """`make encoders` writes it."""
    written = Path(__file__).parents[2] / "docs" / "encoders.md"
    assert written.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("name", NAMES)
def test_every_option_of_an_encoder_is_told(name: str) -> None:
    module = registry.load("encoders", name)
    section = page().split(f"## {name}\n")[1].split("\n## ")[0]
    for option, field in module.Options.model_fields.items():
        assert f"| `{option}` |" in section
        assert field.description


@pytest.mark.parametrize("name", NAMES)
def test_an_encoder_with_weights_names_their_licence(name: str) -> None:
    module = registry.load("encoders", name)
    has_none = name in (
        "colour_hog", "hashing", "librosa", "logmel", "mfcc", "motion", "pixels", "prosody",
        "tokens", "utf8",
    )  # fmt: skip
    assert (licence(module) == OWN) == has_none
