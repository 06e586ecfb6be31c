"""This project's own files as they are read back: damage is told in a sentence, whatever it is.

It is no part of a key (see `fingerprint.INERT`): it says whether a file can be read, not what
stands in it.
"""

from __future__ import annotations

import csv
import errno
import functools
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter

from pipeline.core.errors import PipelineError
from pipeline.core.machine.shortage import is_out_of_memory

T = TypeVar("T")
# What parsers raise at bytes that are not what was written.
WRONG = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what a parser raises at damaged bytes into a PipelineError that names the file.

    What the operating system says (no such file, no right, a failing disk) is passed on, and so is
    a want of memory.
    """
    try:
        yield
    except Exception as error:
        if not isinstance(error, (OSError, *WRONG)) and not _is_arrow(error):
            raise
        # Arrow, too, raises OSError of bytes that it cannot make out: without a number. And damaged
        # bytes may send a reader before the beginning of a file, which is no valid argument.
        if is_out_of_memory(error) or getattr(error, "errno", None) not in (None, errno.EINVAL):
            raise
        raise damaged(path) from error


def _is_arrow(error: Exception) -> bool:
    """Whether pyarrow raised it, which opening a store must not import."""
    return any(kind.__name__ == "ArrowException" for kind in type(error).__mro__)


def damaged(path: Path) -> PipelineError:
    """The error for a file of this project that does not hold what was written there."""
    return PipelineError(
        f"{path} is damaged: `pipeline validate --repair` brings it back, or removes it so that "
        f"`dvc repro` makes it again"
    )


def document(path: Path, form: type[T]) -> T:
    """A JSON file in the form of a type, such as a dataclass; fields it does not know are ignored.

    Raises
    ------
    PipelineError
        The file is no JSON, or not of that form.
    OSError
        It cannot be read.
    """
    data = path.read_bytes()
    with reading(path):
        return parsed(data, form)


def holds(path: Path, text: str) -> bool:
    """Whether there is a file that holds just this text, in UTF-8."""
    return path.is_file() and path.read_bytes() == text.encode()


def csv_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file with a header, of which each has all cells.

    Raises
    ------
    PipelineError
        The file is cut off, or no such table.
    OSError
        It cannot be read.
    """
    with reading(path), path.open(newline="", encoding="utf-8") as file:
        try:
            rows = list(csv.DictReader(file, strict=True))
        except csv.Error as error:
            raise ValueError(str(error)) from None
        if any(None in row or None in row.values() for row in rows):
            raise ValueError("a line has more or fewer cells than the header")
    return rows


def parsed(data: bytes | str, form: type[T]) -> T:
    """JSON in the form of a type; ValueError if it is not that."""
    return cast(T, _adapter(cast(Hashable, form)).validate_json(data, strict=True))


@functools.cache
def _adapter(form: Any) -> TypeAdapter[Any]:
    return TypeAdapter(form)
