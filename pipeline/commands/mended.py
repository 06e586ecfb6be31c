"""How a command ends when it cannot go on: in one message, never in a traceback."""

from __future__ import annotations

import functools
import logging
import os
import select
from collections.abc import Callable
from typing import Any

import typer

from pipeline.errors import PipelineError
from pipeline.logs import FORMAT, printable

logger = logging.getLogger(__name__)
STOPPED = "stopped; finished parts stand, run again to go on"


def mended(command: Callable[..., Any], stopped: str = STOPPED) -> Callable[..., Any]:
    """A user's mistake, or a file or folder that fails, ends in its message and exit code 1, Ctrl-C
    in `stopped` and 130.

    Where whoever read the output is gone, as with `| head`, it is left to click, which ends without
    a word.
    """

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except (PipelineError, OSError, MemoryError, ImportError) as error:
            if isinstance(error, BrokenPipeError) and _nobody_reads():
                raise
            logger.debug("stopped by", exc_info=error)
            _say(_told(error))
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            if stopped:
                typer.echo(stopped, err=True)
            raise typer.Exit(130) from None

    return wrapped


def _nobody_reads() -> bool:
    """Whether the standard output or error is a pipe whose other end is closed."""
    streams = select.poll()
    for number in (1, 2):
        streams.register(number, 0)
    return any(event & select.POLLERR for _, event in streams.poll(0))


def _say(message: str) -> None:
    if os.environ.get(FORMAT) == "json":
        logger.error(message)
        return
    typer.secho("error: ", fg="red", bold=True, err=True, nl=False)
    typer.echo(printable(message), err=True)


def _told(error: PipelineError | OSError | MemoryError | ImportError) -> str:
    if isinstance(error, PipelineError):
        return str(error)
    if isinstance(error, MemoryError | ImportError):
        return (
            f"this machine fell short ({type(error).__name__}: {error}). What is finished stands; "
            f"free memory or use fewer workers, see that the locked libraries are installed, and "
            f"run again."
        )
    where = f"{error.filename}: " if error.filename else ""
    return (
        f"{where}{error.strerror or error}. What is finished stands; make room or mend the path or "
        f"its rights, and run again."
    )
