"""How a command ends when it cannot go on: in one message, never in a traceback."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import typer

from pipeline.errors import PipelineError

STOPPED = "stopped; finished parts stand, run again to go on"


def mended(command: Callable[..., Any], stopped: str = STOPPED) -> Callable[..., Any]:
    """A user's mistake, or a file or folder that fails, ends in its message and exit code 1, Ctrl-C
    in `stopped` and 130.

    A pipe that is closed, as by `| head`, is left to click, which ends without a word.
    """

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except BrokenPipeError:
            raise
        except (PipelineError, OSError) as error:
            typer.secho("error: ", fg="red", bold=True, err=True, nl=False)
            typer.echo(_told(error), err=True)
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            if stopped:
                typer.echo(stopped, err=True)
            raise typer.Exit(130) from None

    return wrapped


def _told(error: PipelineError | OSError) -> str:
    if isinstance(error, PipelineError):
        return str(error)
    where = f"{error.filename}: " if error.filename else ""
    return (
        f"{where}{error.strerror or error}. What is finished stands; make room or mend the path or "
        f"its rights, and run again."
    )
