"""Plug-ins by name: a registry is a folder, and `encoder: mfcc` is pipeline/encoders/mfcc.py.

Modules are imported when they are named, not before, so that a heavy one costs only those who use
it. A module whose name begins with _ helps those beside it. Packages of third parties add theirs
through the entry-point group `pipeline.<folder>`.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from importlib.metadata import EntryPoints, entry_points
from types import ModuleType
from typing import Any

from pipeline.errors import PipelineError, unknown


def names(folder: str) -> list[str]:
    """Every name registered under pipeline/<folder>/, sorted; one that begins with _ is none."""
    package = importlib.import_module(f"pipeline.{folder.replace('/', '.')}")
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)}
    plugins = {name for name in modules if not name.startswith("_")}
    return sorted(plugins | {point.name for point in _points(folder)})


def load(folder: str, name: str) -> ModuleType:
    """The module registered as `name`; PipelineError listing the known ones if there is none."""
    return importlib.import_module(locate(folder, name))


def locate(folder: str, name: str) -> str:
    """The dotted name of the module registered as `name`, which is not imported."""
    known = names(folder)
    if name not in known:
        raise PipelineError(unknown(folder.split("/")[-1].rstrip("s"), name, known))
    for point in _points(folder):
        if point.name == name:
            return point.value
    return f"pipeline.{folder.replace('/', '.')}.{name}"


@functools.cache
def _points(folder: str) -> EntryPoints:
    """Entry points of third parties. Selecting takes a millisecond, too long for each batch."""
    found: EntryPoints = _all_points().select(group=f"pipeline.{folder.replace('/', '.')}")
    return found


@functools.cache
def _all_points() -> Any:
    """Finding them reads the metadata of every installed package, so it is done once."""
    return entry_points()
