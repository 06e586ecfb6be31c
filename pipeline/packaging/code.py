"""The modules that answering takes, as files."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

from pipeline.parts.code import PACKAGE, imports, is_ours


def needed(roots: Iterable[str]) -> set[str]:
    """Modules of this package that these import, directly or not, wherever the import stands.

    The packages around a module are among them, since Python runs those first; of what they import
    only what is imported as they run, and not what some function of theirs would.
    """
    modules, pending = set[str](), {(root, True) for root in roots}
    seen = set(pending)
    while pending:
        module, whole = pending.pop()
        modules.add(module)
        reached = {(name, True) for name in imports(module) if whole or name in _at_once(module)}
        if around := module.rpartition(".")[0]:
            reached.add((around, False))
        reached = {(name, all_of_it) for name, all_of_it in reached if is_ours(name)} - seen
        seen |= reached
        pending |= reached
    return modules


def source(module: str) -> Path:
    """The path of a module's source, relative to the folder that this package lies in."""
    place = Path(*module.split("."))
    inside = PACKAGE.parent / place
    return place / "__init__.py" if inside.is_dir() else place.with_suffix(".py")


def _at_once(module: str) -> set[str]:
    """What a module imports as it runs."""
    tree = ast.parse((PACKAGE.parent / source(module)).read_bytes())
    names = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names
