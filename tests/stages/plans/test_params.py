"""data/params.json says what params mean, whether or not params.yaml does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.params import parse
from pipeline.params.resolved import resolved
from pipeline.stages.plans import params as stage
from tests.dataset import params as small

pytestmark = pytest.mark.usefixtures("inside")
OUT = Path("data", "params.json")


def test_what_is_left_out_stands_there() -> None:
    document = small()
    for section in ("clean", "augment", "parts", "ingest", "curate", "evaluate", "report", "fetch"):
        del document[section]
    planned = stage.plan(parse(document))
    assert planned.run().computed == 1
    written = json.loads(OUT.read_text())
    assert written["clean"]["image"]["max_side"] == 256
    assert written["clean"]["audio"]["reject_limit"] == 0.05
    assert written["curate"]["ratios"]["train"] == 0.7
    assert written["fetch"] == {}
    assert planned.stands
    whole = OUT.read_bytes()
    OUT.write_bytes(b"gar\xffbage")
    assert not planned.stands
    OUT.write_bytes(whole)
    assert stage.plan(parse(document)).run().computed == 0


def test_a_default_that_is_written_down_changes_nothing() -> None:
    document: dict[str, Any] = small()
    before = resolved(parse(document))
    document["clean"]["image"]["max_side"] = 256
    document["models"]["image"]["learning_rate"] = 2e-3
    assert resolved(parse(document)) == before
    document["clean"]["image"]["max_side"] = 128
    assert resolved(parse(document)) != before


def test_where_work_runs_is_no_part_of_it() -> None:
    assert resolved(parse(small(executor="ray"))) == resolved(parse(small(executor="serial")))


def test_a_kind_that_a_task_inherits_stands_in_the_model() -> None:
    document: dict[str, Any] = small()
    document["targets"]["shape"] = {"kind": "ordinal"}
    inherited = resolved(parse(document))
    document["models"]["image"]["tasks"]["shape"] = {"kind": "multiclass"}
    assert resolved(parse(document))["models"]["image"] != inherited["models"]["image"]
