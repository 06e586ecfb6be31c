"""`pipeline blame`: which batch made a figure worse."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.arguments import Json
from pipeline.cli.errors import handle_errors
from pipeline.cli.output import show
from pipeline.core.terminal import say

HARM = (
    "source",
    "batch",
    "samples",
    "agreement",
    "p",
    "harm",
    "low",
    "high",
    "learnt",
    "judged",
)
CURVE = ("source", "batch", "value", "gained")


@handle_errors
def blame(
    metric: Annotated[
        str, typer.Argument(help="A figure of the model's primary task, such as macro_f1.")
    ] = "",
    model: Annotated[str, typer.Option(help="A name of `models`; the first by default.")] = "",
    split: Annotated[str, typer.Option(help="test | validation")] = "test",
    curve: Annotated[
        bool,
        typer.Option("--curve/--no-curve", help="Train as of each batch too, in order of landing."),
    ] = True,
    json: Json = False,
) -> None:
    """Say which batch made a figure worse, the most harmful first.

    The model is trained without each batch, and as of each; nothing else is computed, nothing
    written. `harm` is what the figure would gain had the batch never landed: what was `learnt` from
    it, and what it brought to be `judged` by. `agreement` is how often the model that never saw the
    batch is right about it, and `p` whether that is less than elsewhere by chance. Bounds and p
    hold for all batches together.
    """
    from pipeline.core.machine.environment import establish, stated_instructions

    establish(stated_instructions())
    from dataclasses import asdict

    from pipeline.params import load
    from pipeline.stages import blame as stage

    params = load()
    name = model or next(iter(params.models), "")

    def progress(done: int, planned: int) -> None:
        say(f"training {done + 1} of {planned}", error=True)

    found = stage.blame(params, name, metric, split, curve, progress=progress)
    say(f"{found.figure} of {name} on {split}: {found.value:.4f}", error=True)
    show((asdict(each) for each in found.batches), HARM, json)
    if found.curve:
        say("as of each batch, in the order in which they landed:", error=True)
        show((asdict(each) for each in found.curve), CURVE, json)
