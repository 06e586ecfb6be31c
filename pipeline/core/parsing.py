"""YAML and JSON that people or others wrote: what nests without end is said, as other faults are.

Parsers call themselves for each level. Python's then raise a RecursionError, and libyaml's, in C,
runs off its stack and takes the process with it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import yaml

from pipeline.core.errors import PipelineError

# Levels that C bears by far (it died of 100,000) and that no document of DVC's has.
DEEP = 5000
TOO_DEEP = "it nests too deeply"


@contextmanager
def yaml_loader(
    text: str | bytes, what: str, loader: Callable[[Any], Any] | None = None
) -> Iterator[Any]:
    """A loader of a YAML document; whatever it and the block raise over the document is told.

    Parameters
    ----------
    text:
        The document; bytes are UTF-8.
    what:
        What to call it in the message.
    loader:
        A class of PyYAML's, else the safe one, in C where PyYAML has it: 15 times as fast.

    Raises
    ------
    PipelineError
        The document is not YAML, or nests too deeply.
    """
    try:
        yield (loader or _safe(text))(text)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: not UTF-8, or no such date
        raise PipelineError(f"{what} is not YAML: {error}") from None
    except RecursionError:
        raise PipelineError(f"{what} is not YAML that can be read: {TOO_DEEP}") from None


def parse_json(text: str | bytes, **options: Any) -> Any:
    """As json.loads, of which what nests too deeply is a ValueError too."""
    try:
        return json.loads(text, **options)
    except RecursionError:
        raise ValueError(TOO_DEEP) from None


def _safe(text: str | bytes) -> Callable[[Any], Any]:
    """C's loader for what cannot be deep: a level takes a bracket, or starts further right."""
    document = text.encode(errors="replace") if isinstance(text, str) else text
    brackets = document.count(b"[") + document.count(b"{")
    if max(brackets, *map(len, document.splitlines()), 0) > DEEP:
        return yaml.SafeLoader
    loader: Callable[[Any], Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return loader
