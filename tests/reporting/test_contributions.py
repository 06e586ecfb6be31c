from __future__ import annotations

from pipeline.reporting import contributions, gallery
from pipeline.reporting.inputs import Absent, Inputs
from pipeline.reporting.options import Options
from tests.reporting.synthetic import CATEGORIES


def test_fusions_alone_are_shared_out(inputs: Inputs) -> None:
    built = contributions.build(inputs, Options(classes=3))
    assert not isinstance(built, Absent)
    assert [panel["model"] for panel in built["panels"]] == ["concatenation", "attention"]
    panel = built["panels"][0]
    assert [row["modality"] for row in panel["rows"]] == ["image", "audio", "text"]
    assert panel["rows"][1]["figures"] == {"shapley": "+20.0", "permutation": "+20.0"}
    assert list(panel["measures"]) == ["shapley", "permutation"]
    assert len(panel["classes"]) == 3
    assert panel["more"] == len(CATEGORIES) - 3
    assert [greatest for _, greatest in panel["classes"][0]["values"]] == [False, False, True]


def test_a_card_says_what_each_modality_gave_to_its_answer(inputs: Inputs) -> None:
    built = gallery.build(inputs, Options(gallery=8))
    assert not isinstance(built, Absent)
    cards = [card for part in built["strata"] for card in part["cards"]]
    assert cards
    for card in cards:
        assert list(card["given"]) == ["image", "audio", "text"]


def test_single_modalities_are_left_out(partial) -> None:
    assert isinstance(contributions.build(partial(models=("image",)), Options()), Absent)
