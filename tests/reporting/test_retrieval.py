from __future__ import annotations

from pipeline.reporting import retrieval
from pipeline.reporting.inputs import Absent, ReportInputs
from pipeline.reporting.options import ReportOptions
from pipeline.reporting.results import results
from tests.reporting import synthetic
from tests.reporting.conftest import inputs_of


def test_what_a_space_finds_names_and_saves_stands_apart_from_tasks(inputs: ReportInputs) -> None:
    built = retrieval.build(inputs, ReportOptions())
    assert isinstance(built, dict)
    (space,) = built["spaces"]
    assert space.model.name == synthetic.ALIGNED
    assert list(space.directions) == ["image → text", "image → text, source a"]
    assert space.directions["image → text"]["recall_5"]["value"] == 0.2
    assert list(space.named) == ["image → category"]
    assert list(space.shares) == ["category @ 5 %"]
    aligned = next(each for each in inputs.evaluated if each.name == synthetic.ALIGNED)
    assert set(aligned.tasks) == set(synthetic.TARGETS)


def test_its_results_stand_on_a_recipes_page(inputs: ReportInputs) -> None:
    text = results(inputs, {}, ())
    objective = "infonce and 0.5 of reconstruction"
    row = f"| `attention` | {objective} | 20.0 (17.0 to 23.0) | 40.0 (37.0 to 43.0) |"
    assert row in text
    assert "**`attention`** on the test split:" in text
    assert "| image → text | 10.0 (7.0 to 13.0) |" in text
    assert "| 12.5 (12.47 to 12.53) | 2.0 | 80 |" in text
    assert "| category @ 5 % | 45.0 (42.0 to 48.0) | 35.0 (32.0 to 38.0) |" in text


def test_without_an_alignment_the_section_is_left_out(inputs: ReportInputs) -> None:
    plain = inputs_of(inputs.root, models=("image",))
    assert isinstance(retrieval.build(plain, ReportOptions()), Absent)
