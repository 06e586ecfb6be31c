"""The recipe of retrieval, on a slice of stamps and of drawings, which have no voice."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from pipeline.models.evaluation.figure_files import read_figures
from tests.command import call
from tests.recipes.slices import put_slice, put_stamps, run_slice
from tests.recipes.test_captioning import put_drawings
from tests.recipes.test_stamps import LIGHT

MODALITIES = ("image", "audio", "text")


@pytest.mark.slow
def test_what_finds_what_is_told_of_each_source(inside: Path) -> None:
    raw = {"stamps": put_stamps, "openclipart": put_drawings}
    params = put_slice(inside, "retrieval", raw, ["reconstruction"], LIGHT)
    run_slice(params)
    figures = read_figures(Path("data", "evaluation", "reconstruction"))
    for asked, answering in permutations(MODALITIES, 2):
        direction = f"{asked} → {answering}"
        names = [f"{direction}, source {source}" for source in raw]
        if "audio" in (asked, answering):  # which stamps alone have: their slice is the whole
            assert not figures.keys() & {*names}
            continue
        counts = [figures[name]["test"]["n"] for name in names]
        assert sum(counts) == figures[direction]["test"]["n"]
        assert all(counts)
    assert {"image → category", "image → folder"} <= figures.keys()
    shares = {f"{target} @ {share} %" for target in ("category", "folder") for share in (1, 100)}
    assert shares <= figures.keys()

    code, output = call("results")
    assert (code, "| image → text, source openclipart |" in output) == (0, True), output
    page = Path("data", "reports", "index.html").read_text()
    assert "What finds what" in page
    assert "<h1>One space for image, audio and text</h1>" in page
    drawing = next(Path("data", "raw").rglob("circle3.svg"))
    code, output = call("predict", str(drawing), "--model", "reconstruction")
    assert (code, "`pipeline freeze reconstruction` says" in output) == (1, True), output
