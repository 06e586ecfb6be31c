"""`pipeline validate`: is every byte as it was written, and what is damaged, mended."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Annotated

import typer

from pipeline.cli.errors import handle_errors
from pipeline.cli.output import show
from pipeline.core.errors import PipelineError
from pipeline.core.terminal import say

STOPPED = "stopped; with --share the next run goes on from here"


@partial(handle_errors, stopped=STOPPED)
def validate(
    repair: Annotated[
        bool, typer.Option("--repair", help="Bring back what is damaged, or remove it for repro.")
    ] = False,
    share: Annotated[
        str, typer.Option(metavar="N/M", help="Read the next such share of all bytes, as 1/7.")
    ] = "1",
    cache: Annotated[bool, typer.Option("--cache", help="DVC's cache too.")] = False,
    remote: Annotated[
        str,
        typer.Option(metavar="NAME", help="A remote of DVC's too; `default` is the default one."),
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Read every byte of all outputs, raw batches and sidecars, and list what is damaged.

    Exits with 1 if something is, and was not mended. No memory of sizes and times is trusted.
    """
    from dataclasses import asdict

    from pipeline.integrity.validate import scrub

    report = scrub(repair, _share(share), cache, remote)
    counts = ("name", "files", "bytes")
    if json:
        show((asdict(place) for place in report.places.values()), (), True)
    else:
        rows = (
            {**{name: getattr(place, name) for name in counts}, "problems": len(place.problems)}
            for place in report.places.values()
        )
        show(rows, (*counts, "problems"), False)
    for problem in report.problems:
        say(
            f"{problem.file}: {problem.what}{'; ' if problem.mended else ''}{problem.mended}",
            error=True,
        )
    left = [problem for problem in report.problems if not problem.mended]
    mended_count = len(report.problems) - len(left)
    say(f"{len(report.problems)} problem(s), {mended_count} mended", error=True)
    if report.absent:
        say(f"not here, `dvc checkout` brings it: {', '.join(report.absent)}", error=True)
    if report.unknown:
        say(f"{report.unknown} file(s) of which nothing says what they held", error=True)
    if left and repair:
        say("what was not mended has no good copy: copy it anew from where it came", error=True)
    elif left:
        say("`pipeline validate --repair` mends what can be mended", error=True)
    if left:
        raise typer.Exit(1)


def _share(text: str) -> Fraction:
    try:
        share = Fraction(text)
    except (ValueError, ZeroDivisionError):
        share = Fraction(0)
    if not 0 < share <= 1:
        raise PipelineError(f"--share {text}: give a share above 0 and at most 1, such as 1/7")
    return share
