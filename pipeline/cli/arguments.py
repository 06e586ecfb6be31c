"""Arguments and options that the store's commands share, and the store that they open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.errors import handle_errors

if TYPE_CHECKING:
    from pipeline.store import Store

Set = Annotated[str, typer.Argument(metavar="SET", help="A feature set; `ls` names them.")]
MaybeSet = Annotated[str, typer.Argument(metavar="[SET]", help="A feature set; all by default.")]
Rev = Annotated[
    str,
    typer.Option("--rev", metavar="REV", help="Branch, tag or commit; without it, the work tree."),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Where = Annotated[
    str,
    typer.Option(
        "--where",
        metavar="SQL",
        help="A condition over the set's columns and the samples', as split = 'train'.",
    ),
]
View = Annotated[
    int, typer.Option("--view", help="0: the assets themselves; 1, 2, …: augmented versions.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
AsOf = Annotated[
    str,
    typer.Option(
        "--as-of",
        metavar="[SOURCE/]BATCH",
        help="Leave out what landed in later batches of its source.",
    ),
]


def command(app: typer.Typer) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function whose mistakes end in a message, and Ctrl-C in silence."""

    def registered(function: Callable[..., Any]) -> Callable[..., Any]:
        app.command(function.__name__.rstrip("_"))(handle_errors(function, stopped=""))
        return function

    return registered


def store_of_command(rev: str) -> Store:
    """The store of the project that this is called in."""
    from pipeline.store import open_store

    return open_store(rev=rev or None)


def compute_as(feature_set: str, rev: str = "") -> None:
    """Put this process under the instruction set of a feature set's rows, before NumPy is loaded.

    Raises
    ------
    PipelineError
        There is no such set, or this processor lacks those instructions.
    """
    from pipeline.core.machine.environment import hold
    from pipeline.store.trees.opening import open_tree, processor_of

    hold(processor_of(open_tree(Path(), rev or None), feature_set))
