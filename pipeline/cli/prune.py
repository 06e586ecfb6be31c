"""`pipeline prune`: folders below data/ that params.yaml no longer names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.errors import handle_errors
from pipeline.core.folders import DATA
from pipeline.core.terminal import say


@handle_errors
def prune(
    yes: Annotated[
        bool, typer.Option("--yes", help="Remove them, instead of listing them.")
    ] = False,
) -> None:
    """List, or remove, what feature sets, models and modalities left that params.yaml dropped.

    DVC leaves such folders in place, where stages that depend on data/ see a change. What was
    committed stays in DVC's cache, and `dvc repro` brings it back once it is named again.
    """
    from pipeline.core.files.atomic import remove
    from pipeline.core.files.lock import locked
    from pipeline.params import load
    from pipeline.store.trees.named import leftovers

    params = load()
    named = {
        "modalities": params.modalities,
        "features": params.features,
        "models": params.models,
    }
    unnamed = leftovers(Path(DATA), named)
    for path in unnamed:
        if yes:
            with locked(path):
                remove(path)
        say(f"removed {path}" if yes else path)
    if not unnamed:
        say("params.yaml names all that lies below data/")
    elif not yes:
        say("`pipeline prune --yes` removes them", error=True)
