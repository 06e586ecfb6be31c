"""A copy of the page to look at, with the time and revision of the run that made it."""

from __future__ import annotations

from pathlib import Path

from pipeline import runs
from pipeline.reporting.overlay import overlay

COPY = Path(".pipeline", "report.html")
SHOWN = {"started": "Made", "revision": "Revision", "host": "Host", "seconds": "Seconds"}


def dated_copy(page: Path) -> Path:
    """Write the page with its run record to .pipeline/report.html, and say where it is.

    Raises
    ------
    PipelineError
        `page` is no page of this report.
    """
    record = runs.last_made("report")
    shown = {title: str(record[key]) for key, title in SHOWN.items() if key in record}
    COPY.parent.mkdir(parents=True, exist_ok=True)
    COPY.write_text(overlay(page.read_text(encoding="utf-8"), shown), encoding="utf-8")
    return COPY
