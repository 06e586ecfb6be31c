from __future__ import annotations

from pathlib import Path

import yaml

from pipeline.params import parse
from pipeline.stages.forecast import forecast
from pipeline.stages.graph import labels
from tests.dataset import HERE


def test_the_projects_own_params_are_forecast_where_nothing_was_made(inside: Path) -> None:
    params = parse(yaml.safe_load((HERE / "params.yaml").read_text()))
    wanted = labels(params)
    assert {"compare", "crossvalidate/gated", "report", "fetch/stamps"} <= {*wanted}
    found = {one.stage: one for one in forecast(params, wanted)}
    assert [*found] == wanted
    assert (found["code"].computed, found["code"].exact) == (1, True)
    first = found["fetch/stamps"]
    assert (first.computed, first.exact, first.reasons) == (1, True, ["it is not there"])
    later = [one for name, one in found.items() if not name.startswith(("fetch", "code"))]
    assert all(one.works and not one.exact for one in later)
    assert found["crossvalidate/gated"].reasons[-1] == "after curate"


def test_one_stage_is_forecast_without_those_that_it_does_not_read(inside: Path) -> None:
    params = parse(yaml.safe_load((HERE / "params.yaml").read_text()))
    (found,) = forecast(params, ["clean/image"])
    assert (found.stage, found.reasons) == ("clean/image", ["after ingest"])


def test_another_version_of_a_source_is_fetched(inside: Path) -> None:
    given = yaml.safe_load((HERE / "params.yaml").read_text())
    version = given["fetch"]["stamps"]["version"]
    Path("data", "raw", "stamps", version).mkdir(parents=True)
    (found,) = forecast(parse(given), ["fetch/stamps"])
    assert not found.works
    given["fetch"]["stamps"]["version"] = "9999"
    (found,) = forecast(parse(given), ["fetch/stamps"])
    assert found.works
