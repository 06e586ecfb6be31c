"""Plug-ins by name: a registry is a folder, and `encoder: mfcc` is pipeline/encoders/mfcc.py.

Modules are imported when they are named, not before, so that a heavy one costs only those who use
it. A module whose name begins with _ helps those beside it. Packages of third parties add theirs
through the entry-point group `pipeline.<folder>`. What a module must have is a `Protocol` of its
folder's package, such as `pipeline.models.tasks.Task`.

A modality is a folder of modules itself: `modalities/image` is a registry of its parts, wherever
the modality comes from.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from importlib.metadata import EntryPoints, entry_points
from types import ModuleType
from typing import Any, TypeVar, overload

from pipeline.core.errors import PipelineError, unknown

Contract = TypeVar("Contract")
# Registries whose plug-ins are registries of their parts.
OF_FOLDERS = {"modalities": "modality"}


def names(folder: str) -> list[str]:
    """Every name registered under pipeline/<folder>/, sorted; one that begins with _ is none."""
    package = importlib.import_module(_package(folder))
    modules = {module.name for module in pkgutil.iter_modules(getattr(package, "__path__", ()))}
    plugins = {name for name in modules if not name.startswith("_")}
    return sorted(plugins | {point.name for point in _points(folder)})


@overload
def load(folder: str, name: str) -> ModuleType: ...
@overload
def load(folder: str, name: str, contract: type[Contract]) -> Contract: ...
def load(folder: str, name: str, contract: Any = None) -> Any:
    """The module registered as `name`, typed as the Protocol that it keeps.

    Raises
    ------
    PipelineError
        There is no such module: the message lists the known ones. Or it lacks what the contract
        asks for, which is listed.
    """
    module = importlib.import_module(locate(folder, name))
    if contract and (lacks := _lacking(module, contract)):
        raise PipelineError(
            f"{_noun(folder)} '{name}' ({module.__name__}) lacks {', '.join(lacks)}: "
            f"{contract.__module__}.{contract.__name__} says what it must have"
        )
    return module


@functools.cache
def _lacking(module: ModuleType, contract: Any) -> tuple[str, ...]:
    """Looked up once a module, as a task's is loaded for each batch."""
    asked = {
        name
        for base in contract.__mro__
        for name in (*vars(base), *inspect.get_annotations(base))
        if not name.startswith("_")
    }
    return tuple(name for name in sorted(asked) if not hasattr(module, name))


def locate(folder: str, name: str) -> str:
    """The dotted name of the module registered as `name`, which is not imported."""
    known = names(folder)
    if name not in known:
        raise PipelineError(unknown(_noun(folder), name, known))
    for point in _points(folder):
        if point.name == name:
            return point.value
    return f"{_package(folder)}.{name}"


def _package(folder: str) -> str:
    """The dotted name of a folder; the folder of a plug-in is wherever the plug-in is."""
    above, _, name = folder.rpartition("/")
    if above in OF_FOLDERS:
        return locate(above, name)
    return f"pipeline.{folder.replace('/', '.')}"


def plugins() -> list[str]:
    """Dotted names of all modules that packages of third parties register, sorted."""
    groups = (group for group in _all_points().groups if group.startswith("pipeline."))
    return sorted(point.value for group in groups for point in _all_points().select(group=group))


def _noun(folder: str) -> str:
    above, _, name = folder.rpartition("/")
    if above in OF_FOLDERS:
        return f"part of the {OF_FOLDERS[above]} {name},"
    return OF_FOLDERS.get(folder, name.removesuffix("s"))


@functools.cache
def _points(folder: str) -> EntryPoints:
    """Entry points of third parties. Selecting takes a millisecond, too long for each batch."""
    points: EntryPoints = _all_points().select(group=f"pipeline.{folder.replace('/', '.')}")
    return points


@functools.cache
def _all_points() -> Any:
    """Finding them reads the metadata of every installed package, so it is done once."""
    return entry_points()
