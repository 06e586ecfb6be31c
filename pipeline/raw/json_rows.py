"""Rows of a table in JSON: the items of an array, or an object a line; what is none says why."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from pipeline.core.errors import Rejected
from pipeline.core.identity import column_name
from pipeline.core.parsing import parse_json

Row = tuple[dict[str, Any], str]  # (cells, problem)
SPACE = re.compile(r"[ \t\n\r]*+")


def of_array(name: str, text: str, most_letters: int) -> Iterator[Row]:
    """The items of the array that a text begins with, one by one, as all at once take memory.

    Raises
    ------
    Rejected
        `too_large`: an item of the file `name` has more letters.
    ValueError
        It is no JSON, at the item that is none or behind the array.
    """
    at = _past_space(text, text.index("[") + 1)
    begun = False
    while not text.startswith("]", at):
        if begun:
            if not text.startswith(",", at):
                raise ValueError("an item without a comma before it")
            at = _past_space(text, at + 1)
        item, size = _item(name, text, at, most_letters)
        if not size:
            raise ValueError("no value where an item should be")
        yield _row(item)
        begun = True
        at = _past_space(text, at + size)
    if text[at + 1 :].strip():
        raise ValueError("something follows on the array")


def of_object(text: str) -> Row:
    """The row of a text that is one object."""
    if text.lstrip().startswith("["):
        return {}, "it is not a JSON object"
    try:
        return _row(parse_json(text, object_pairs_hook=_mapping, parse_constant=_Fault))
    except ValueError:
        return {}, "it is not JSON"


def flat(cell: Any) -> Any:
    """A list or a mapping as JSON, which takes a twentieth of the memory."""
    if isinstance(cell, list | dict):
        return json.dumps(cell, ensure_ascii=False, sort_keys=True, default=str)
    return cell


def is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _item(name: str, text: str, at: int, most_letters: int) -> tuple[Any, int]:
    """A value that begins somewhere in a text, and its letters: 0 if there is none."""
    window = 1 << 12  # what is at hand of the text, so that no item takes more than a line may
    while True:
        window = min(window, most_letters)
        piece = text[at : at + window]
        try:
            item, size = JSON.raw_decode(piece)
            if size < len(piece) or at + size == len(text):  # else a number may go on
                return item, size
        except (ValueError, RecursionError):
            if at + window >= len(text):
                return None, 0
        if window == most_letters:
            raise Rejected("too_large", f"{name} has an item of more than {most_letters:,} letters")
        window *= 16


def _past_space(text: str, at: int) -> int:
    match = SPACE.match(text, at)
    assert match is not None
    return match.end()


def _row(item: Any) -> Row:
    if isinstance(item, _Fault):
        return {}, f"it is not JSON: {item.what}"
    if not isinstance(item, dict):
        return {}, "it is not a JSON object"
    cells = {column_name(name): flat(cell) for name, cell in item.items()}
    if not all(map(is_utf8, cells)):
        return {}, "its names are not UTF-8"
    return (cells, "") if len(cells) == len(item) else ({}, "it gives a name twice")


class _Fault:
    """What Python reads and JSON does not know: NaN and the like, and a name given twice."""

    def __init__(self, what: str) -> None:
        self.what = what


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Fault:
    """What a JSON object gives; a fault in it is one of the whole."""
    for fault in _faults([value for _, value in pairs]):
        return fault
    mapping = dict(pairs)
    if len(mapping) == len(pairs):
        return mapping
    times = Counter(name for name, _ in pairs)
    twice = next(name for name, n in times.items() if n > 1)
    return _Fault(f"an object gives the name {json.dumps(twice)} twice")


def _faults(values: list[Any]) -> Iterator[_Fault]:
    for value in values:
        if isinstance(value, _Fault):
            yield value
        elif isinstance(value, list):
            yield from _faults(value)


JSON = json.JSONDecoder(object_pairs_hook=_mapping, parse_constant=_Fault)
