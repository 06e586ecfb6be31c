"""`pipeline freeze`: a trained model becomes weights that feature sets and models build on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.errors import handle_errors
from pipeline.core.terminal import say


@handle_errors
def freeze(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A name of `models`, or an alias.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Else encoders/MODEL.")
    ] = None,
    revision: Annotated[
        str | None, typer.Option("--rev", metavar="REV", help="Branch, tag or commit.")
    ] = None,
) -> None:
    """Write a model into a folder that stays as it is, whatever is trained later."""
    from pipeline.core.machine.environment import establish, stated_instructions

    establish(stated_instructions())
    from pipeline.project.freeze import freeze as freeze_model

    folder = out or Path("encoders", model)
    modalities = freeze_model(Path(), model, folder, revision)
    say(f"{folder}: model '{model}'. Of a model that begins with its towers:")
    say(f"  towers_from: {folder}")
    if modalities:
        say("Of feature sets in its space:")
        for modality in modalities:
            say(
                f"  {model}_{modality}: "
                f"{{modality: {modality}, encoder: aligned_{modality}, model: {folder}}}"
            )
        say("Write them into params.yaml, `dvc repro`, and ask any of them with words or a file:")
        say(f"  pipeline store search {model}_{modalities[0]} QUESTION")
