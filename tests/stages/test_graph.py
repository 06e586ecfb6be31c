"""Which stages there are, and what each reads from."""

from __future__ import annotations

import pytest

from pipeline.params import Params, parse
from pipeline.stages.graph import STAGES, items, labels, upstream
from pipeline.store.rejects import reject_folders
from tests import dataset


@pytest.fixture(scope="module")
def params() -> Params:
    return parse(dataset.params())


def test_a_stage_reads_what_stands_above_it(params: Params) -> None:
    written: set[str] = set()
    for stage in STAGES.values():
        assert written.issuperset(stage.reads)
        written.update(stage.writes)


def test_rejects_are_looked_for_where_stages_write(params: Params) -> None:
    for stage, folder in reject_folders(params.modalities, params.features).items():
        assert folder.split("/")[0] in STAGES[stage.split("/")[0]].writes


def test_stages_fan_out_over_their_section_and_the_rest_stand_alone(params: Params) -> None:
    assert items(params, "augment") == ("image", "audio", "text")
    assert items(params, "train") == ("image", "gated")
    assert items(params, "report") == ("",)
    assert (
        items(params, "fetch") == items(params, "crossvalidate") == items(params, "compare") == ()
    )
    assert [*filter(lambda stage: stage.startswith("e"), labels(params))] == [
        "extract/colour_hog",
        "extract/mfcc",
        "extract/hashing",
        "evaluate/image",
        "evaluate/gated",
    ]
    assert labels(params, compares=False) == labels(params)
    assert labels(params, compares=True) == []


def test_an_item_reads_what_concerns_it(params: Params) -> None:
    assert upstream(params, "clean", "image") == ["ingest"]
    assert upstream(params, "extract", "mfcc") == ["clean/audio", "augment/audio"]
    assert upstream(params, "train", "image") == ["extract/colour_hog", "curate"]
    assert "train/gated" not in upstream(params, "evaluate", "image")
    assert {*upstream(params, "report")} == {*labels(params)} - {"code", "params", "report"}
