"""The copy that is opened says when and from what it was made; the versioned page does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.execution import run_record
from pipeline.reporting.overlay import overlay
from pipeline.reporting.show import dated_copy
from tests.reporting.reading import read


def test_the_record_is_laid_over_the_page(page: str) -> None:
    shown = read(overlay(page, {"Made": "2024-05-06", "Revision": "<b>abc</b>"}))
    (record,) = shown.all("dl", class_="record")
    assert [term.text for term in record.all("dt")] == ["Made", "Revision"]
    assert [what.text for what in record.all("dd")] == ["2024-05-06", "<b>abc</b>"]


def test_nothing_else_changes(page: str) -> None:
    made = overlay(page, {"Made": "now"})
    start = made.index('<dl class="record">')
    end = made.index("</dl>", start) + len("</dl>")
    assert made[:start] + "<!-- record -->" + made[end:] == page


def test_another_page_is_refused() -> None:
    with pytest.raises(PipelineError, match="dvc repro report"):
        overlay("<html></html>", {})


def test_the_copy_stands_elsewhere(inside: Path, page: str) -> None:
    original = inside / "index.html"
    original.write_text(page, encoding="utf-8")
    run_record.FOLDER.mkdir(parents=True)
    made = {"outcome": "done", "computed": 1}
    record = {"started": "2024-05-06T07:08:09+00:00", "revision": "abc123+", **made}
    later = {"started": "2024-05-07T00:00:00+00:00", "outcome": "done", "computed": 0}
    lines = [json.dumps(one) + "\n" for one in (record, later)]
    (run_record.FOLDER / "report.jsonl").write_text("".join(lines))
    copy = dated_copy(original)
    assert original.read_text(encoding="utf-8") == page
    shown = read(copy.read_text(encoding="utf-8")).all("dl", class_="record")[0].text
    assert "2024-05-06T07:08:09+00:00" in shown
    assert "abc123+" in shown
    assert "2024-05-07" not in shown
