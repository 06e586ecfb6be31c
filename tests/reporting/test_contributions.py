from __future__ import annotations

from pathlib import Path

from pipeline.reporting import contributions, gallery
from pipeline.reporting.inputs import Absent, EvaluatedModel, ReportInputs
from pipeline.reporting.options import ReportOptions
from tests.reporting.synthetic import CATEGORIES


def test_fusions_alone_are_shared_out(inputs: ReportInputs) -> None:
    built = contributions.build(inputs, ReportOptions(classes=3))
    assert not isinstance(built, Absent)
    assert [panel["model"] for panel in built["panels"]] == ["concatenation", "attention"]
    panel = built["panels"][0]
    assert [row["modality"] for row in panel["rows"]] == ["image", "audio", "text"]
    assert panel["rows"][1]["figures"] == {"shapley": "+20.0", "permutation": "+20.0"}
    assert list(panel["measures"]) == ["shapley", "permutation"]
    assert len(panel["classes"]) == 3
    assert panel["more"] == len(CATEGORIES) - 3
    assert [greatest for _, greatest in panel["classes"][0]["values"]] == [False, False, True]


def test_shares_are_told_in_per_cent_and_gains_in_points(tmp_path: Path) -> None:
    rows = ["task,measure,level,name,modality,value,low,high,n"]
    for measure, value in (("shapley", 0.1), ("permutation", -0.2), ("weight", 1 / 3)):
        rows.append(f"category,{measure},overall,,image,{value},0.0,0.2,10")
    (tmp_path / "contributions.csv").write_text("\n".join([*rows, ""]))
    model = EvaluatedModel("m", tmp_path, tmp_path, ["image"])
    panel = contributions._panel(model, "category", ["image"], 3)
    assert panel is not None
    assert panel["rows"][0]["figures"] == {
        "shapley": "+10.0",
        "permutation": "\N{MINUS SIGN}20.0",
        "weight": "33.3",
    }
    assert panel["measures"]["weight"] == "weight, %"


def test_a_card_says_what_each_modality_gave_to_its_answer(inputs: ReportInputs) -> None:
    built = gallery.build(inputs, ReportOptions(gallery=8))
    assert not isinstance(built, Absent)
    cards = [card for part in built["strata"] for card in part["cards"]]
    assert cards
    for card in cards:
        assert list(card["given"]) == ["image", "audio", "text"]


def test_single_modalities_are_left_out(partial) -> None:
    assert isinstance(contributions.build(partial(models=("image",)), ReportOptions()), Absent)
