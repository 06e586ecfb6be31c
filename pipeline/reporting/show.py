"""A copy of the page to look at, with the times and revision of the runs that made it."""

from __future__ import annotations

from pathlib import Path

from pipeline.execution import run_record
from pipeline.reporting.overlay import overlay
from pipeline.reporting.times import durations_table, model_durations

COPY = Path(".pipeline", "report.html")
RECORD_TITLES = {"started": "Made", "revision": "Revision", "host": "Host", "seconds": "Seconds"}


def dated_copy(page: Path) -> Path:
    """Write the page with what its runs took to .pipeline/report.html, and say where it is.

    Raises
    ------
    PipelineError
        `page` is no page of this report.
    """
    record = run_record.last_made("report")
    record_by_title = {
        title: str(record[key]) for key, title in RECORD_TITLES.items() if key in record
    }
    COPY.parent.mkdir(parents=True, exist_ok=True)
    took = durations_table(model_durations(page.parents[1]))
    COPY.write_text(
        overlay(page.read_text(encoding="utf-8"), record_by_title, took), encoding="utf-8"
    )
    return COPY
