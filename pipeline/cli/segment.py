"""`pipeline segment`: a table of the windows or shots of films."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.errors import handle_errors
from pipeline.core.errors import PipelineError
from pipeline.core.terminal import say


@handle_errors
def segment(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of films.")],
    seconds: Annotated[float, typer.Option(min=0.001, help="Length of a window.")] = 2.0,
    hop: Annotated[
        float | None, typer.Option(min=0.001, help="Seconds from a window's start to the next's.")
    ] = None,
    shots: Annotated[
        str, typer.Option(help="Cut into shots, by this detector of PySceneDetect: adaptive, …")
    ] = "",
    shortest: Annotated[float, typer.Option(min=0, help="Seconds of the shortest shot.")] = 0.6,
    output: Annotated[
        Path | None, typer.Option(help="The table, else metadata.csv in the folder.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a table that is there.")] = False,
) -> None:
    """Write a table with a row for each window or shot of the films of a folder, to be labelled.

    A table of the folder is read first: its rows are repeated for the spans of their films.
    """
    from pipeline.project.segments import TABLE, write_segments

    if not folder.is_dir():
        raise PipelineError(f"there is no folder {folder}")
    length, step = (round(1000 * time) for time in (seconds, seconds if hop is None else hop))
    out = output or folder / TABLE
    written = write_segments(
        folder,
        lambda film, data: (
            film.shots(data, shots, round(1000 * shortest))
            if shots
            else film.windows(data, length, step)
        ),
        out,
        force,
    )
    for path, why in sorted(written.refused.items()):
        say(f"{path}: {why}", error=True)
    say(f"{out}: {written.rows:,} rows, of {written.files:,} films")
