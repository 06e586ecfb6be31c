"""The recipe of names, on a slice made like Tux Paint's stamps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command import call
from tests.recipes.slices import put_slice, put_stamps, run_slice
from tests.recipes.test_stamps import LIGHT


@pytest.mark.slow
def test_a_picture_is_named_in_the_language_that_is_asked_for(inside: Path) -> None:
    light = {"efficientnet_lite0": LIGHT["efficientnet_lite0"]}
    training = {"epochs": 6, "batch_size": 16, "views": 0}
    params = put_slice(inside, "naming", put_stamps, ["picture"], light, training)
    run_slice(params)
    code, output = call("results")
    assert code == 0, output
    assert "**name** on the test split" in output
    assert "of the truths stand in the train split, too." in output
    for row in ("| `picture` | image |", "| *most frequent* | nothing |",
                "| *nearest neighbour* | image |"):  # fmt: skip
        assert row in output, output
    assert "chrF of name by language" in Path("data", "reports", "index.html").read_text()

    drawing = str(next(Path("data", "raw").rglob("*.png")))
    for language, article in (("en", "A"), ("fr", "Un")):
        told = ("--model", "picture", "--given", f"name={language}", "--json")
        code, output = call("predict", drawing, *told)
        assert code == 0, output
        assert json.loads(output.splitlines()[0])["answer.name"].split()[0] == article
