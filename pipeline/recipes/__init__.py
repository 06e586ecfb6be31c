"""Recipes: whole projects on data that can be had, each a folder of this package.

A recipe `pipeline/recipes/<name>` holds the `params.yaml` of the project that it lays out and an
`about.yaml` in the form of `About`; docs/recipes/<name>.md tells what it is and what it came to.
Its data come by a source that fetches itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.resources import as_file, files

from packaging.requirements import Requirement
from pydantic import Field

from pipeline.core.errors import PipelineError, unknown
from pipeline.core.options import Options
from pipeline.params.document import fill, read

PROJECT = "multimodal-pipeline"


class Data(Options):
    """One data set that a recipe fetches."""

    name: str = Field(min_length=1)
    licence: str = Field(min_length=1, description="as SPDX names it, if it does")
    bytes: int = Field(ge=0, description="bytes that are downloaded")
    fetched_by: str = Field(min_length=1, description="client that fetches it: apt, pip, npm")


class About(Options):
    """What a recipe is, and what it takes by its default settings on two cores."""

    title: str = Field(min_length=1)
    summary: str = Field(min_length=1)
    data: tuple[Data, ...] = Field(min_length=1)
    minutes: float = Field(gt=0, description="minutes of `dvc repro`, without the download")
    memory_gb: float = Field(gt=0, description="10^9 bytes that its largest process takes")
    extras: tuple[str, ...] = Field((), description="extras of this package that it needs")


@dataclass(frozen=True)
class Recipe:
    """One recipe; `params` is the text of its params.yaml."""

    name: str
    about: About
    params: str


def names() -> list[str]:
    """All recipes, sorted."""
    return sorted(folder.name for folder in files(__name__).iterdir() if _is_recipe(folder.name))


def load(name: str) -> Recipe:
    """One recipe by its name.

    Raises
    ------
    PipelineError
        There is none of that name, or its about.yaml is not in the form of `About`.
    """
    if not _is_recipe(name):
        raise PipelineError(unknown("recipe", name, names()))
    folder = files(__name__) / name
    with as_file(folder / "about.yaml") as path:
        about = fill(About, read(path), f"about.yaml of the recipe {name}")
    return Recipe(name, about, (folder / "params.yaml").read_text(encoding="utf-8"))


def missing_extras(about: About) -> list[str]:
    """Extras that a recipe needs and of which something is not installed here."""
    return [extra for extra in about.extras if not all(map(_is_installed, _required(extra)))]


def _is_recipe(name: str) -> bool:
    return name.isidentifier() and (files(__name__) / name / "about.yaml").is_file()


def _required(extra: str) -> Iterator[Requirement]:
    """What one extra of this package asks for on this machine, beside what all need."""
    for requirement in map(Requirement, requires(PROJECT) or ()):
        marker = requirement.marker
        if marker and marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""}):
            yield requirement


def _is_installed(requirement: Requirement) -> bool:
    try:
        return requirement.specifier.contains(version(requirement.name), prereleases=True)
    except PackageNotFoundError:
        return False
