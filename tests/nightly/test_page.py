"""The page of the last nights, and the log that it is made from."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.nightly.journal import Delivery, Night, Verdict
from pipeline.nightly.page import render
from pipeline.nightly.record import (
    RECORDS,
    SCHEMA,
    costs_per_file,
    read_record,
    read_records,
    write_record,
)

START = datetime(2026, 3, 1, 2, 30, tzinfo=UTC)


def record(number: int, outcome: str, **values: Any) -> dict[str, Any]:
    empty: dict[str, Any] = dict.fromkeys(SCHEMA.names)
    metric = {"model": "gated", "task": "shape", "figure": "macro_f1"}
    score = 0.7 + number / 1000
    return {
        **empty,
        "run": f"2026-03-{number:02d}",
        "started": START,
        "ended": START,
        "outcome": outcome,
        "rule": "rule",
        "why": f"why <{number}>",
        "landed_files": number,
        "landed_bytes": 10**number,
        "computed_rows": 10 * number,
        "seconds": 3725.0,
        "cpu_seconds": 20.0 * number,
        "gpu_seconds": 0.0,
        "metrics": [{**metric, "value": score, "low": score - 0.1, "high": score + 0.1}],
        **values,
    }


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))


def test_a_page_shows_each_night_and_asks_no_other_host() -> None:
    held = {"source": "shapes", "landing": "b", "fate": "held", "why": "it has no sound"}
    nights = [
        record(1, "promoted", tag="nightly/2026-03-01"),
        record(2, "held", landings=[held], left=[{"landing": "shapes/c", "why": "not whole"}]),
        record(3, "bad_data", rejects=[{"stage": "clean/audio", "reason": "silent", "n": 2}]),
        record(4, "nothing", metrics=[], drift=[
            {"name": "duration", "test": "kolmogorov_smirnov", "statistic": 0.5, "p": 0.0004,
             "alarm": True},
            {"name": "size", "test": "kolmogorov_smirnov", "statistic": 0.5, "p": 0.2,
             "alarm": False},
        ]),
    ]  # fmt: skip
    page = render(nights, {"2026-03-01"})
    parser = _Tags()
    parser.feed(page)
    addresses = [
        value
        for _, attributes in parser.tags
        for name, value in attributes.items()
        if name in ("src", "href") and value and not value.startswith(("#", "data:"))
    ]
    assert addresses == ["2026-03-01.html"]
    assert len(re.findall('<a class="night ', page)) == 4
    assert page.index("2026-03-04: nothing new") < page.index('id="night-2026-03-01"')
    assert "why &lt;2&gt;" in page
    for words in (
        "shapes/b: held, it has no sound",
        "shapes/c waits: not whole",
        "2 silent (clean/audio)",
        "duration (kolmogorov smirnov, p&nbsp;0.0004)",
        "1 h 02 min",
        "2026-03-01: 70.1, interval 60.1 to 80.1",
    ):
        assert words in page, words
    assert "size (" not in page
    assert page.count('class="point') == 3 + 4
    assert render(nights, {"2026-03-01"}) == page


def test_a_page_without_a_night_says_so() -> None:
    assert "No night has been yet" in render([], set())


@pytest.fixture
def night(inside: Path) -> Night:
    return Night(
        "2026-03-02",
        START.isoformat(),
        "0" * 40,
        deliveries=[
            Delivery("shapes", "a", "s3://bucket?secret", "stamp", "a", "taken", files=3, bytes=9),
            Delivery("shapes", "b", "inbox", "stamp", "b", "left", files=5, bytes=7),
        ],
        verdict=Verdict("held", "evidence", "Held.", {"gain": 0.01}),
        revision="1" * 40,
        left={"shapes/c": "not whole"},
    )


def test_a_run_is_a_row_of_one_schema(night: Night) -> None:
    write_record(night, START + timedelta(minutes=5))
    assert pq.read_schema(RECORDS / "2026-03-02.parquet").equals(SCHEMA)
    row = read_record("2026-03-02")
    assert (row["landed_files"], row["landed_bytes"], row["seconds"]) == (3, 9, 300.0)
    assert row["judged"] == [{"name": "gain", "value": 0.01}]
    assert row["left"] == [{"landing": "shapes/c", "why": "not whole"}]
    assert (row["revision"], row["tag"]) == ("1" * 40, "nightly/2026-03-02")
    assert b"bucket" not in (RECORDS / "2026-03-02.parquet").read_bytes()
    assert read_records() == [row]


def test_runs_are_in_the_order_of_their_names(night: Night) -> None:
    for name in ("2026-03-02.10", "2026-03-02.9", "2026-03-02"):
        write_record(Night(**{**vars(night), "run": name}), START)
    assert [row["run"] for row in read_records(2)] == ["2026-03-02.9", "2026-03-02.10"]


def test_the_cost_of_a_file_is_that_of_past_runs() -> None:
    assert costs_per_file([]) is None
    rows = [record(1, "held"), record(3, "held"), record(2, "nothing", landed_files=0)]
    expected = {"computed_rows": (10 + 30) / (1 + 3), "cpu_seconds": (20 + 60) / (1 + 3)}
    assert costs_per_file(rows) == expected
