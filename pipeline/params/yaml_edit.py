"""Change values in the text of a YAML file and leave every other letter of it as it is.

A library that reads and writes the file whole would also rewrite its nulls, lists and long lines.
So the parser's marks say where a value stands, and only there is the text cut.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from functools import reduce
from typing import Any

import yaml

from pipeline.core.errors import PipelineError

Keys = tuple[Any, ...]
MISSING = object()
ALIAS = re.compile(r"\*[^\s,\[\]{}]+")
ANCHOR = re.compile(r"&[^\s,\[\]{}]+\s+")
# Each value that others took from the changed place needs one put of its own; no file has so many.
PUTS = 1000
# Keys down to an option: models, the model's name, the option's.
OPTION = 3


def edit_yaml(text: str, values: Mapping[Keys, Any]) -> str:
    """The text in which these paths have these values, and all other paths those that they had.

    Parameters
    ----------
    values:
        Path of keys → new value. Where a mapping stands elsewhere (an alias or `<<`), the value is
        put on the path itself; where others take the path's own, they get the old one, written out.

    Raises
    ------
    PipelineError
        Others would take a key over that they did not have, or the file is written in a way that
        this cannot change; the message says what to write by hand.
    """
    wanted = _untied(yaml.safe_load(text))
    for path, value in values.items():
        _set(wanted, path, value)
    for path, value in values.items():
        text = _put(text, path, value)
    for _ in range(PUTS):
        try:
            left = differences(yaml.safe_load(text), wanted)
        except yaml.YAMLError:
            break
        if not left:
            return text
        path, value = next(iter(left.items()))
        if value is MISSING and len(path) > OPTION:  # a mapping of another shape: written whole
            path = path[:-1]
            value = _get(wanted, path)
        if value is MISSING:
            raise PipelineError(
                f"params.yaml: with the change {_named(path)} would come from an anchor, and there "
                f"is none now; give it a value of its own first"
            )
        text = _put(text, path, value)
    named = ", ".join(f"{_named(path)}: {to_inline_yaml(value)}" for path, value in values.items())
    raise PipelineError(f"params.yaml is written in a way that cannot be changed; write {named}")


def differences(before: Any, after: Any, at: Keys = ()) -> dict[Keys, Any]:
    """Path → value in `after`, for what is not equal; `GONE` for a key that only `before` has.

    Mappings that both have are looked into; anything else is a value as a whole.
    """
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        same = before == after and type(before) is type(after)
        return {} if same else {at: after}
    changes: dict[Keys, Any] = {}
    for key in [*before, *(key for key in after if key not in before)]:
        place = (*at, key)
        if key not in after or key not in before:
            changes[place] = after.get(key, MISSING)
        else:
            changes |= differences(before[key], after[key], place)
    return changes


def to_inline_yaml(value: Any) -> str:
    """A value on one line of YAML."""
    dumped = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**9)
    return dumped.removesuffix("...\n").strip()


def _put(text: str, path: Keys, value: Any) -> str:
    """Write one value at its path, on the innermost mapping that is the path's own."""
    node: Any = yaml.compose(text)
    for depth, name in enumerate(path):
        rest = path[depth + 1 :]
        whole = value
        if rest:
            whole = copy.deepcopy(_get(yaml.safe_load(text), path[: depth + 1]))
            _set(whole, rest, value)
        pairs = [pair for pair in node.value if pair[0].value == str(name)]
        if not pairs:
            return _added(text, node, f"{to_inline_yaml(name)}: {to_inline_yaml(whole)}")
        key, node = pairs[0]
        if _alias(key, node):
            alias = ALIAS.search(text, key.end_mark.index)
            assert alias
            return text[: alias.start()] + to_inline_yaml(whole) + text[alias.end() :]
        if rest and isinstance(node, yaml.MappingNode):
            continue
        start = node.start_mark.index
        if isinstance(node, yaml.CollectionNode) and not node.flow_style:
            return (
                text[: key.end_mark.index] + f": {to_inline_yaml(whole)}" + text[_end(key, node) :]
            )
        anchor = ANCHOR.match(text, start)
        start = anchor.end() if anchor else start
        return text[:start] + _aligned(to_inline_yaml(whole), text[start:], _end(key, node) - start)
    raise AssertionError("a path has a key")


def _aligned(new: str, text: str, length: int) -> str:
    """The text whose first letters, so many, are replaced; a comment keeps its column."""
    rest = text[length:]
    bare = rest.lstrip(" ")
    if not bare.startswith("#"):
        return new + rest
    return new + " " * max(1, length + len(rest) - len(bare) - len(new)) + bare


def _added(text: str, node: yaml.MappingNode, entry: str) -> str:
    """The text with one more entry at a mapping's end."""
    if node.flow_style or not node.value:
        brace = node.end_mark.index - 1
        before = text[:brace].rstrip()
        comma = "" if before.endswith(("{", ",")) else ","
        gap = "" if before.endswith("{") else " "
        return f"{before}{comma}{gap}{entry}{text[len(before) : brace]}{text[brace:]}"
    key, value = node.value[-1]
    end = text.find("\n", _end(key, value))
    end = len(text) if end < 0 else end
    return f"{text[:end]}\n{' ' * key.start_mark.column}{entry}{text[end:]}"


def _end(key: yaml.Node, node: yaml.Node) -> int:
    """Where a value's text ends; a block's own mark stands after the comments that follow it."""
    if _alias(key, node):
        return int(key.end_mark.index)
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return _end(*node.value[-1])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _end(key, node.value[-1])
    return int(node.end_mark.index)


def _alias(key: yaml.Node, node: yaml.Node) -> bool:
    """Whether a value is written elsewhere, before its key."""
    return bool(node.start_mark.index < key.start_mark.index)


def _untied(value: Any) -> Any:
    """A copy in which nothing is shared, as aliases are."""
    if isinstance(value, dict):
        return {key: _untied(inner) for key, inner in value.items()}
    return [_untied(inner) for inner in value] if isinstance(value, list) else value


def _get(document: Any, path: Keys) -> Any:
    return reduce(lambda node, name: node[name], path, document)


def _set(document: Any, path: Keys, value: Any) -> None:
    for name in path[:-1]:
        document = document.setdefault(name, {})
    document[path[-1]] = value


def _named(path: Keys) -> str:
    return ".".join(map(str, path))
