"""`pipeline package`: a model is handed over, with all that answers and its cards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.arguments import Rev
from pipeline.cli.errors import handle_errors
from pipeline.core.terminal import say


@handle_errors
def package(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A name of `models` or `compress`, or an alias.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR|FILE.zip", help="What to write.")
    ],
    rev: Rev = "",
    force: Annotated[
        bool, typer.Option("--force", help="Replace a package that is there.")
    ] = False,
) -> None:
    """Write a model with its code, cards and requirements, so that it answers anywhere."""
    from pipeline.core.machine.environment import establish, stated_instructions

    establish(stated_instructions())
    from pipeline.packaging.package import write_package
    from pipeline.params import load

    digest = write_package(load(), model, out, force, rev or None)
    say(f"{out}: model '{model}'; SHA-256 of its contents.json: {digest}")
