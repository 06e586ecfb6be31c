"""Nights with planted faults are lived through in a copy of the project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.arguments import Json
from pipeline.cli.errors import handle_errors
from pipeline.cli.nightly.files import loaded
from pipeline.cli.output import show
from pipeline.core.terminal import say


@handle_errors
def simulate(
    folder: Annotated[Path, typer.Argument(help="A new folder, in which the nights are lived.")],
    source: Annotated[
        str, typer.Option(help="Whose largest batch is cut; the inbox's if none.")
    ] = "",
    nights: Annotated[int, typer.Option(min=1, help="How many.")] = 30,
    seed: Annotated[int, typer.Option(help="Of the plan.")] = 0,
    share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Of the batch's samples, how many land.")
    ] = 1.0,
    json: Json = False,
) -> None:
    """Live through nights of this project's own data with planted faults, in a copy of it.

    Each fault must get the right verdict, and what was accepted must be what a clean build gives.
    Ends with 1 where something was not as it should be.
    """
    from dataclasses import asdict

    from pipeline.core.machine.environment import establish, stated_instructions

    establish(stated_instructions())
    from pipeline.nightly.simulation.nights import Lived, simulate

    params, options = loaded()
    source = source or next(iter(options.inbox))
    rows: list[dict[str, Any]] = []
    proofs: list[str] = []
    for lived in simulate(params, options, source, folder, nights, seed, share):
        if isinstance(lived, Lived):
            rows.append(asdict(lived))
            planted, cpu = lived.planted or "calm", lived.cpu_seconds
            say(f"{lived.night}: {planted}: {lived.outcome}, {cpu:.0f} CPU-seconds", error=True)
        else:
            proofs = [name.replace("_", " ") for name, holds in asdict(lived).items() if not holds]
    show(rows, tuple(rows[0]), json)
    wrong = [row["night"] for row in rows if not row["right"]]
    if wrong:
        say(f"not as they should be: {', '.join(wrong)}", error=True)
    for name in proofs:
        say(f"a {name} of what was accepted differs from what nights made of it", error=True)
    if wrong or proofs:
        raise typer.Exit(1)
