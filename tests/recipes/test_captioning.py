"""The recipe of captions, on a slice of drawings made like those of the Open Clip Art Library."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.sources.openclipart import STATED
from tests.command import call
from tests.recipes.slices import put_slice, run_slice
from tests.recipes.test_stamps import LIGHT

SHAPES = {
    "circle": '<circle cx="20" cy="20" r="1{0}" fill="#{0}a4"/>',
    "square": '<rect x="4" y="4" width="2{0}" height="2{0}" fill="#4{0}a"/>',
    "line": '<path d="M2 2L38 3{0}" stroke="#a4{0}" stroke-width="4"/>',
}


def put_drawings(folder: Path) -> None:
    """Thirty drawings of three topics by ten creators, one of them without a title."""
    lines = []
    for topic, shape in SHAPES.items():
        (folder / "1" / topic).mkdir(parents=True)
        for i in range(10):
            path = f"{topic}/{topic}{i}.svg"
            (folder / "1" / path).write_text(
                f'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40">'
                f"{shape.format(i)}</svg>"
            )
            stated = {"path": path, "keywords": [topic, f"size {i}"], "creator": f"c{i}"}
            title = {} if (topic, i) == ("line", 9) else {"title": f"a {topic} of size {i}"}
            lines.append(json.dumps(stated | title) + "\n")
    (folder / "1" / STATED).write_text("".join(lines))


@pytest.mark.slow
def test_drawings_are_put_into_words_reported_asked_and_handed_over(inside: Path) -> None:
    params = put_slice(inside, "captioning", put_drawings, ["both", "picture"], LIGHT)
    run_slice(params)
    code, output = call("results")
    assert code == 0, output
    assert "**caption** on the test split" in output
    for row in ("| `both` | image and text |", "| *most frequent* | nothing |",
                "| *nearest neighbour* | image |"):  # fmt: skip
        assert row in output, output
    page = Path("data", "reports", "index.html").read_text()
    assert "The text of the nearest training example" in page
    assert "chrF" in page

    drawing = next(Path("data", "raw").rglob("circle3.svg"))
    code, output = call("predict", str(drawing), "--model", "picture", "--json")
    assert code == 0, output
    answer = json.loads(output.splitlines()[0])
    assert isinstance(answer["answer.caption"], str)
    assert 0 < answer["confidence.caption"] <= 1
    assert "probabilities.caption" not in answer
    code, output = call("predict", str(drawing), "--model", "picture", "--given", "caption=fr")
    assert code == 1
    assert "unknown value 'fr'" in output

    code, output = call("package", "picture", "--out", "handed")
    assert code == 0, output
    assert "| caption | text | a text |" in Path("handed", "model_card.md").read_text()
    code, output = call("predict", str(drawing), "--model", "handed", "--json")
    assert json.loads(output.splitlines()[0])["answer.caption"] == answer["answer.caption"]
