"""YAML, read strictly: a key is a plain name or number, and stands once in its mapping."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from pipeline.core.errors import PipelineError
from pipeline.core.parsing import yaml_loader


def read(path: Path) -> Any:
    """What a YAML file says.

    Raises
    ------
    PipelineError
        The file is missing or not YAML, gives a key twice or has a key that is a list or mapping.
    """
    try:
        return _loaded(path.read_bytes(), str(path))
    except FileNotFoundError:
        raise PipelineError(f"there is no {path} here; run this in the project's folder") from None


def fill(form: Any, document: Any, what: str) -> Any:
    """A parsed document in the form of a type.

    Parameters
    ----------
    what:
        What messages call the document.

    Raises
    ------
    PipelineError
        All that is wrong with it, by its path.
    """
    try:
        return TypeAdapter(form).validate_python({} if document is None else document)
    except ValidationError as error:
        lines = [
            "  "
            + (".".join(str(part) for part in mistake["loc"] if part != "[key]") or "file")
            + f": {mistake['msg'].removeprefix('Value error, ')}"
            for mistake in error.errors()
        ]
        raise PipelineError("\n".join([f"{what} has {len(lines)} mistake(s):", *lines])) from None


@functools.lru_cache(maxsize=1)
def _loaded(text: bytes, what: str) -> Any:
    """Parsing takes longer than all else that is done with the file, and it is asked for twice."""
    with yaml_loader(text, what, _Loader) as loader:
        return loader.get_single_data()


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice instead of dropping the first.

    Keys are looked at as they are written: once merged (`<<`), a mapping also has those that it
    overrides.
    """

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.composer.ComposerError(
                    None, None, "a key is a list or a mapping: give a name", key.start_mark
                )
            if key.value in seen:
                raise yaml.composer.ComposerError(
                    None, None, f"the key '{key.value}' is given twice", key.start_mark
                )
            seen.add(key.value)
        return node
