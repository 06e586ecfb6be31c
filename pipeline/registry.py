"""Plug-ins by name: a registry is a folder, and `encoder: mfcc` is pipeline/encoders/mfcc.py.

Modules are imported when they are named, not before, so that a heavy one costs only those who use
it. Packages of third parties add theirs through the entry-point group `pipeline.<folder>`.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

from pipeline.errors import PipelineError, unknown


def names(folder: str) -> list[str]:
    """Every name registered under pipeline/<folder>/, sorted."""
    package = importlib.import_module(f"pipeline.{folder.replace('/', '.')}")
    own = {module.name for module in pkgutil.iter_modules(package.__path__)}
    return sorted(own | {point.name for point in _points(folder)})


def load(folder: str, name: str) -> ModuleType:
    """The module registered as `name`; PipelineError listing the known ones if there is none."""
    known = names(folder)
    if name not in known:
        raise PipelineError(unknown(folder.split("/")[-1].rstrip("s"), name, known))
    for point in _points(folder):
        if point.name == name:
            return importlib.import_module(point.value)
    return importlib.import_module(f"pipeline.{folder.replace('/', '.')}.{name}")


@functools.cache
def _points(folder: str) -> tuple[EntryPoint, ...]:
    """Entry points of third parties; finding them reads the metadata of every installed package."""
    return tuple(entry_points(group=f"pipeline.{folder.replace('/', '.')}"))
