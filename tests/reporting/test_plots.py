"""Charts put values where they belong, and text where it cannot run."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.reporting.plots.panels import CalibrationBin, lines, reliability
from pipeline.reporting.plots.rows import bar, dumbbell, stack, whisker
from pipeline.reporting.plots.scale import UNIT, nice_scale
from pipeline.reporting.plots.svg import number, share, tag
from tests.reporting.reading import read


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_a_scale_covers_its_values_with_a_few_round_ticks(values: list[float]) -> None:
    scale = nice_scale(values)
    slack = 1e-6 * max(1.0, scale.high - scale.low)
    assert scale.low - slack <= min(values)
    assert max(values) <= scale.high + slack
    assert 2 <= len(scale.ticks) <= 8
    assert scale.place(scale.low) == 0
    assert scale.place(scale.high) == 1


def test_a_scale_stays_within() -> None:
    assert nice_scale([0.02, 0.999], within=(0.0, 1.0)).ticks == (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    assert nice_scale([]).ticks[0] == 0


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "1"), (-0.001, "0"), (2.345, "2.35"), (10.5, "10.5"), ("x", "x")]
)
def test_numbers_are_short(value: float | str, text: str) -> None:
    assert number(value) == text


def test_a_share_stays_in_the_drawing() -> None:
    assert [share(v) for v in (-1, 0.25, 7)] == ["0%", "25%", "100%"]


def test_text_and_attributes_are_escaped() -> None:
    made = tag("text", "<b>&", title='"<x>')
    (element,) = read(f"{made}").all("text")
    assert element.text == "<b>&"
    assert element.attributes == {"title": '"<x>'}


def test_a_whisker_shows_its_value_and_interval() -> None:
    drawn = read(whisker(0.5, 0.25, 0.75, UNIT, "fusion"))
    (dot,) = drawn.all("circle")
    assert dot.attributes["cx"] == "50%"
    (line,) = drawn.all("line", class_="whisker")
    assert (line.attributes["x1"], line.attributes["x2"]) == ("25%", "75%")
    assert drawn.all("svg")[0].attributes["aria-label"] == "50.0 %, interval 25.0 to 75.0 %"


def test_a_dumbbell_says_gain_loss_or_neither() -> None:
    assert read(dumbbell(0.7, 0.5, "", UNIT)).all("line", class_="gain")
    assert read(dumbbell(0.5, 0.7, "", UNIT)).all("line", class_="loss")
    alone = read(dumbbell(0.5, None, "", UNIT))
    assert not alone.all("line", class_="way")
    assert len(alone.all("circle")) == 1


def test_bars_are_as_long_as_their_shares() -> None:
    assert read(bar(0.3, "")).all("rect", class_="fill")[0].attributes["width"] == "30%"
    parts = read(stack([("train", 0.5), ("test", 0.0), ("validation", 0.25)], "")).all("rect")
    assert [(p.attributes["x"], p.attributes["width"]) for p in parts] == [
        ("0%", "50%"),
        ("50%", "25%"),
    ]


def test_lines_fall_where_values_fall() -> None:
    drawn = read(lines({"train": [(0, 1.0), (1, 0.5), (2, 0.25)]}, "loss", best=1))
    (line,) = drawn.all("polyline")
    points = [tuple(map(float, p.split(","))) for p in str(line.attributes["points"]).split()]
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert [y for _, y in points] == sorted(y for _, y in points)
    (best,) = drawn.all("line", class_="best")
    assert float(str(best.attributes["x1"])) == points[1][0]


def test_one_epoch_is_a_chart_too() -> None:
    assert not re.search("nan|inf", lines({"validation": [(0, 0.5)]}, "loss", best=0))


def test_dots_of_the_calibration_diagram_lie_above_or_below() -> None:
    bins = [CalibrationBin(0.0, 0.5, 0.4, 0.6, 5), CalibrationBin(0.5, 1.0, 0.9, 0.7, 10)]
    drawn = read(reliability(bins, "calibration"))
    modest, bold = drawn.all("circle")
    assert "under" in str(modest.attributes["class"])
    assert "over" in str(bold.attributes["class"])
    assert float(str(bold.attributes["r"])) > float(str(modest.attributes["r"]))
