from __future__ import annotations

from pipeline.reporting import retrieval
from pipeline.reporting.inputs import Absent, ReportInputs
from pipeline.reporting.options import ReportOptions
from tests.reporting import synthetic
from tests.reporting.conftest import inputs_of


def test_what_a_space_finds_names_and_saves_stands_apart_from_tasks(inputs: ReportInputs) -> None:
    built = retrieval.build(inputs, ReportOptions())
    assert isinstance(built, dict)
    (model,) = built["models"]
    assert model["name"] == synthetic.ALIGNED
    assert list(model["directions"]) == ["image → text"]
    assert model["directions"]["image → text"]["recall_5"]["value"] == 0.2
    assert list(model["named"]) == ["image → category"]
    assert list(model["shares"]) == ["category @ 5 %"]
    aligned = next(each for each in inputs.evaluated if each.name == synthetic.ALIGNED)
    assert set(aligned.tasks) == set(synthetic.TARGETS)


def test_without_an_alignment_the_section_is_left_out(inputs: ReportInputs) -> None:
    plain = inputs_of(inputs.root, models=("image",))
    assert isinstance(retrieval.build(plain, ReportOptions()), Absent)
