"""Reading while a stage writes: a manifest moves on, and takes parts that it names no more with it.

Parts never change, so what is read is of one manifest, or something is missing. Then it is read
anew, from the manifests that stand now.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, Self, TypeVar

from pipeline.store.trees.tree import Tree

P = ParamSpec("P")
T = TypeVar("T")
# A store whose stages write faster than it can be read is told as it is.
TIMES = 10


class Renewable(Protocol):
    """A store or a feature set."""

    @property
    def tree(self) -> Tree:
        """Where it reads."""

    def renewed(self) -> Self:
        """The same, that has read nothing yet."""


R = TypeVar("R", bound=Renewable)


class _Reading(threading.local):
    """Whether this thread is within a read. What that reads in turn is of the same manifest, so the
    outermost alone begins anew."""

    inside = False


_READING = _Reading()


def consistent_read(read: Callable[Concatenate[R, P], T]) -> Callable[Concatenate[R, P], T]:
    """A read that is done anew where it fails and a manifest that it has read has moved on.

    It neither takes nor returns places of rows that outlast it: another manifest has others.
    """

    @functools.wraps(read)
    def anew(source: R, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if _READING.inside:
            return read(source, *args, **kwargs)
        _READING.inside = True
        try:
            for _ in range(TIMES):
                try:
                    return read(source, *args, **kwargs)
                except Exception:
                    # Whatever the library that met a missing file makes of it.
                    if not source.tree.moved():
                        raise
                source = source.renewed()
            return read(source, *args, **kwargs)
        finally:
            _READING.inside = False

    return anew
