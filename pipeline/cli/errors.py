"""How a command ends when it cannot go on: in one message, never in a traceback."""

from __future__ import annotations

import functools
import logging
import os
import select
from collections.abc import Callable
from typing import Any

import typer

from pipeline.core.errors import PipelineError
from pipeline.core.logs import FORMAT
from pipeline.core.machine.shortage import is_out_of_memory
from pipeline.core.terminal import say

logger = logging.getLogger(__name__)
STOPPED = "stopped; finished parts stand, run again to go on"


def handle_errors(command: Callable[..., Any], stopped: str = STOPPED) -> Callable[..., Any]:
    """A user's mistake, a file or folder that fails, or a want of memory ends in its message and
    exit code 1, Ctrl-C in `stopped` and 130.

    Where whoever read the output is gone, as with `| head`, it is left to click, which ends without
    a word.
    """

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except (typer.Exit, typer.Abort):
            raise
        except BrokenPipeError as error:
            if _nobody_reads():
                raise
            raise _exit_of(error) from None
        except KeyboardInterrupt:
            if stopped:
                say(stopped, error=True)
            raise typer.Exit(130) from None
        except Exception as error:
            raise _exit_of(error) from None

    return wrapped


def _exit_of(error: Exception) -> typer.Exit:
    """Say why a command ends; the error goes on where it is a fault of the program."""
    sentence = _sentence(error)
    if not sentence:
        raise error
    logger.debug("stopped by", exc_info=error)
    if os.environ.get(FORMAT) == "json":
        logger.error(sentence)
    else:
        typer.secho("error: ", fg="red", bold=True, err=True, nl=False)
        say(sentence, error=True)
    return typer.Exit(1)


def _nobody_reads() -> bool:
    """Whether the standard output or error is a pipe whose other end is closed."""
    streams = select.poll()
    for number in (1, 2):
        streams.register(number, 0)
    return any(event & select.POLLERR for _, event in streams.poll(0))


def _sentence(error: Exception) -> str:
    """What to say of an error; nothing of one that is a fault of the program."""
    if isinstance(error, PipelineError):
        return str(error)
    if is_out_of_memory(error):
        return (
            "there is too little memory here. What is finished stands; free some, or ask for less "
            "at once (fewer workers, smaller parts or batches), and run again."
        )
    if not isinstance(error, OSError):
        return ""
    where = f"{error.filename}: " if error.filename else ""
    return (
        f"{where}{error.strerror or error}. What is finished stands; make room or mend the path or "
        f"its rights, and run again."
    )
