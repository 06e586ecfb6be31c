"""What the models took is shown beside the leaderboard, each by the run that made it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.execution import run_record
from pipeline.parts.artifact import read_manifest
from pipeline.reporting.format import count
from pipeline.reporting.overlay import TIMES
from pipeline.reporting.show import dated_copy
from pipeline.reporting.times import DASH, Durations, durations_table, model_durations
from tests.reporting import synthetic
from tests.reporting.reading import read

MADE = {"outcome": "done", "computed": 1}
SPENT = {"data_wait": 0.0215, "examples_per_second": 1234.5, "resumed": 0, "step_seconds": 1.4}
TOOK = {"samples": 400, "seconds": 0.05}


def put(stage: str, *records: dict[str, object]) -> None:
    run_record.FOLDER.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(one) + "\n" for one in records)
    (run_record.FOLDER / f"{stage.replace('/', '@')}.jsonl").write_text(lines)


@pytest.fixture
def model(inside: Path, finished: Path) -> str:
    """A model that was trained twice with other options between, and evaluated elsewhere."""
    name = sorted(synthetic.MODELS)[0]
    key = read_manifest(finished / "models" / name)["key"]
    put(
        f"train/{name}",
        {**MADE, "key": key, "seconds": 61.25, "training": SPENT},
        {**MADE, "key": "other options", "seconds": 7.0, "training": {}},
        {**MADE, "key": key, "computed": 0, "restored": 1, "seconds": 0.2},
        {**MADE, "key": key, "outcome": "failed", "seconds": 0.3},
    )
    put(f"evaluate/{name}", {**MADE, "key": "other options", "seconds": 5.0, "inference": TOOK})
    return name


def test_times_are_of_the_run_that_computed_what_stands(model: str, finished: Path) -> None:
    result = {one.model: one for one in model_durations(finished)}
    assert result.keys() == synthetic.MODELS.keys()
    assert result.pop(model) == Durations(model, 61.25, None, None, 1234.5, 0.0215, 0)
    assert set(result.values()) == {Durations(name) for name in result}


def test_inference_is_the_test_split_alone_and_a_sample(inside: Path, finished: Path) -> None:
    """Not the whole stage, which resamples, worsens and explains; none where nothing was asked."""
    some, none = sorted(synthetic.MODELS)[:2]
    keys = {name: read_manifest(finished / "evaluation" / name)["key"] for name in (some, none)}
    put(f"evaluate/{some}", {**MADE, "key": keys[some], "seconds": 5.0, "inference": TOOK})
    empty = {"samples": 0, "seconds": 0.001}
    put(f"evaluate/{none}", {**MADE, "key": keys[none], "seconds": 5.0, "inference": empty})
    result = {one.model: one for one in model_durations(finished)}
    assert (result[some].evaluation, result[some].inference) == (5.0, 0.125)
    assert (result[none].evaluation, result[none].inference) == (5.0, None)


def test_without_records_nothing_is_shown(inside: Path, finished: Path) -> None:
    assert model_durations(finished) == []
    assert durations_table([]) == ""


def test_a_training_that_went_on_says_from_where() -> None:
    shown = read(durations_table([Durations("<b>", 3.0, 1.0, 0.125, 10.0, 0.5, 4)]))
    cells = [cell.text for cell in shown.all("td")]
    assert cells == ["3.0 (from epoch 4)", "10", "50.0", "1.0", "0.125"]
    assert shown.all("th")[-1].text == "<b>"


def test_the_page_has_one_place_for_them_and_the_copy_alone_has_them(
    model: str, inside: Path, finished: Path, page: str
) -> None:
    assert page.count(TIMES) == 1
    assert "data wait" not in page
    original = inside / "reports" / "index.html"
    original.parent.mkdir()
    original.write_text(page, encoding="utf-8")
    for name in ("models", "evaluation"):
        (inside / name).symlink_to(finished / name)
    shown = read(dated_copy(original).read_text(encoding="utf-8"))
    (took,) = shown.all("details", class_="times")
    assert [one.text for one in took.all("td")][:5] == ["61.2", count(1234), "2.1", DASH, DASH]
    assert not read(original.read_text(encoding="utf-8")).all("details", class_="times")
