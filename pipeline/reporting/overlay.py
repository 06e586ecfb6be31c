"""Times and revision laid over a copy of the page, since the versioned page holds neither."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from pipeline.core.errors import PipelineError

PLACE = "<!-- record -->"
TIMES = "<!-- times -->"


def overlay(page: str, record: Mapping[str, str], times: str = "") -> str:
    """The page with a banner that lists the run record, e.g. {"Made": …, "Revision": …}.

    Parameters
    ----------
    times:
        What the models took, as HTML for the leaderboard; a page without one has no place for it.

    Raises
    ------
    PipelineError
        `page` has no place for it, so it is not a page of this report.
    """
    if page.count(PLACE) != 1:
        raise PipelineError(
            "this is no page of `pipeline report`: delete it and `dvc repro report`"
        )
    entries = (Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(*pair) for pair in record.items())
    page = page.replace(TIMES, times or TIMES)
    return page.replace(PLACE, f'<dl class="record">{"".join(entries)}</dl>')
