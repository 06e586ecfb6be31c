"""What the command says while it works: standard logging, on stderr, as text or as JSON lines.

The level and the format stand in the environment too, so that the stages that DVC starts, and the
workers that they start, are told.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from datetime import UTC, datetime
from typing import Literal

from pipeline.core.terminal import printable

LEVEL, FORMAT = "PIPELINE_LOG_LEVEL", "PIPELINE_LOG_FORMAT"
Level = Literal["debug", "info", "warning", "error"]
Format = Literal["text", "json"]
# What every record has; the rest was given as `extra`.
# What every record has, and what another formatter leaves on it.
_STANDARD = frozenset({*vars(logging.makeLogRecord({})), "asctime", "message"})
# A file's name or an exception's text may hold what commands a terminal.


def configure(level: Level | None, form: Format | None) -> None:
    """Log the project at `level`, or at `info`, and its libraries at `warning` or above."""
    for name, value in ((LEVEL, level), (FORMAT, form)):
        if value:
            os.environ[name] = value
    _install(level or "info", form or "text")


def configure_worker() -> None:
    """Log as the command was told to; where it was told nothing, errors alone."""
    _install(os.environ.get(LEVEL) or "error", os.environ.get(FORMAT) or "text")


def _install(level: str, form: str) -> None:
    handler = _Stderr()
    handler.setFormatter(_Json() if form == "json" else _Text())
    root, number = logging.getLogger(), logging.getLevelNamesMapping()[level.upper()]
    for other in [handler for handler in root.handlers if isinstance(handler, _Stderr)]:
        root.removeHandler(other)
    root.addHandler(handler)
    root.setLevel(max(number, logging.WARNING))
    logging.getLogger("pipeline").setLevel(number)


class _Stderr(logging.Handler):
    """Writes to what is the standard error at that moment: a bar, or a test, may take its place."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr, flush=True)


class _Text(logging.Formatter):
    """`warning: message`; at `info` the message alone."""

    def format(self, record: logging.LogRecord) -> str:
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        return printable(level + super().format(record))


class _Json(logging.Formatter):
    """One object a line: time, level, logger, message, and what else the record was given."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[1]:
            line["traceback"] = "".join(traceback.format_exception(record.exc_info[1]))
        extra = {
            name: value
            for name, value in vars(record).items()
            if name not in _STANDARD and not name.startswith("_")
        }
        return json.dumps({**extra, **line}, ensure_ascii=False, default=str)
