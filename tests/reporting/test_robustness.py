from __future__ import annotations

import pytest

from pipeline.reporting import robustness
from pipeline.reporting.inputs import Absent, ReportInputs
from pipeline.reporting.options import ReportOptions
from tests.reporting.synthetic import SKILL


def test_every_worsening_has_a_chart_with_all_models_that_it_hits(inputs: ReportInputs) -> None:
    built = robustness.build(inputs, ReportOptions())
    assert not isinstance(built, Absent)
    assert len(built["charts"]) == 9
    for chart, (_, modality) in zip(built["charts"], built["worsened"], strict=True):
        hit = sum(modality in model.modalities for model in inputs.evaluated)
        assert chart["plot"].count("<polyline") == hit
        assert chart["plot"].count('class="line fusion"') == 1
    areas = {model.name: areas for model, _, areas in built["rows"]}
    assert areas["attention"] == [pytest.approx(SKILL["attention"] * 0.75)] * 9
    assert [area is None for area in areas["image"]] == [False, True, True] * 3


def test_without_curves_the_section_is_left_out(inputs: ReportInputs, monkeypatch) -> None:
    monkeypatch.setattr(robustness, "_curves", lambda model: {})
    assert isinstance(robustness.build(inputs, ReportOptions()), Absent)
