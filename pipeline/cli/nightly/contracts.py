"""The data contract is learnt from the batches that stand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.errors import handle_errors
from pipeline.cli.nightly.files import loaded
from pipeline.core.errors import PipelineError, unknown
from pipeline.core.terminal import say


@handle_errors
def learn_contract(
    sources: Annotated[
        list[str] | None, typer.Argument(metavar="[SOURCE]...", help="All with an inbox if none.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print params.yaml as it would be.")
    ] = False,
) -> None:
    """Write into params.yaml what the batches of a source have been like, as limits for the next.

    Limits are robust quantiles over the batches that stand; a person may change any of them.
    """
    from pipeline.core.files.atomic import atomic_write
    from pipeline.core.machine.environment import establish, stated_instructions

    establish(stated_instructions())
    from pipeline.nightly.watch import with_learnt_contract

    params, options = loaded()
    wanted = sources or [*options.inbox]
    if wrong := [name for name in wanted if name not in params.sources]:
        raise PipelineError(unknown("source", wrong[0], params.sources))
    path = Path("params.yaml")
    text = with_learnt_contract(path.read_text(encoding="utf-8"), params, wanted)
    if dry_run:
        say(text, end="")
        return
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    say(f"params.yaml has the contract of {', '.join(wanted)}; the next run commits it")
