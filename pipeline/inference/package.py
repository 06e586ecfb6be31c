"""A model that was handed over: a folder that `pipeline package` wrote, with all that answers.

It holds `model/`, what training wrote; `weights/<set>/`, those of encoders that came from a folder;
`params.yaml`, how content is cleaned and encoded; `preprocessing.json`, by what functions that was
done for training; the code; and `contents.json`, which lists them with their digests.

NumPy is not loaded for it: who computes must first know by which instruction set (`hold`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_file
from pipeline.core.files.documents import parsed
from pipeline.core.machine.environment import hold
from pipeline.params import document
from pipeline.parts.fingerprint_diff import differences

CONTENTS, PARAMS, PREPROCESSING = "contents.json", "params.yaml", "preprocessing.json"
REQUIREMENTS = "requirements.txt"
MODEL, WEIGHTS = "model", "weights"
FORM = 1
# Of files that are not as listed, so many are named.
NAMED = 10


@dataclass(frozen=True)
class Contents:
    """What contents.json says.

    Parameters
    ----------
    form:
        Of the package: another one has other files.
    model, digest, revision:
        The model's name, the digest of its files and the commit, as in the project.
    features:
        The feature sets that it reads, in its order.
    files:
        Path → SHA-256 of every other file of the package.
    """

    form: int
    model: str
    digest: str
    revision: str
    features: list[str]
    files: dict[str, str]


@dataclass(frozen=True)
class Package:
    """A package whose files are those that it lists; see `open_package`."""

    place: Path
    contents: Contents

    @property
    def name(self) -> str:
        return self.contents.model

    @property
    def digest(self) -> str:
        return self.contents.digest

    @property
    def revision(self) -> str:
        return self.contents.revision

    @property
    def features(self) -> list[str]:
        return self.contents.features

    @property
    def where(self) -> str:
        """The file that says how features are made, for messages."""
        return str(self.place / PARAMS)

    @cached_property
    def params(self) -> Mapping[str, Any]:
        """What params.yaml says, with the weights that lie in the package where they are now."""
        sections: dict[str, Any] = document.read(self.place / PARAMS)
        features = {
            name: section | {"model": str(self.place / section["model"])}
            if str(section.get("model", "")).startswith(f"{WEIGHTS}/")
            else section
            for name, section in sections["features"].items()
        }
        return sections | {"features": features}

    @cached_property
    def trained_on(self) -> dict[str, Mapping[str, Any]]:
        """Feature set, or stage of cleaning → the function that made what it was trained on."""
        data = (self.place / PREPROCESSING).read_bytes()
        return parsed(data, dict[str, Mapping[str, Any]])

    def hold(self) -> None:
        """Put this process under the instruction set that its features were made with.

        Raises
        ------
        PipelineError
            NumPy is loaded and computes with another.
        """
        for name in self.features:
            hold(self.trained_on[name]["processor"])

    def check(self, functions: Mapping[str, Mapping[str, Any]]) -> None:
        """Let through the functions by which the features were made that it was trained on.

        Raises
        ------
        PipelineError
            This environment has others: other libraries, another Python, other weights.
        """
        if wrong := [
            f"{name}: {difference}"
            for name, before in self.trained_on.items()
            for difference in differences(before, functions[name])
        ]:
            listed = "\n  ".join(wrong)
            raise PipelineError(
                f"here the model '{self.name}' would be given other features than it was trained "
                f"on:\n  {listed}\nInstall what {self.place / REQUIREMENTS} lists."
            )

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """Where the model's files lie."""
        yield self.place / MODEL


def open_package(place: Path) -> Package:
    """A package in a folder, every file of it held to the digest that it lists.

    Raises
    ------
    PipelineError
        It is none, or of another form, or a file is missing, changed, or lies among the code, the
        model or the weights without being listed.
    """
    path = place / CONTENTS
    if place.is_file():
        raise PipelineError(f"{place} is a file: unpack it, and give the folder that comes out")
    if not path.is_file():
        raise PipelineError(
            f"{place} is no package of a model: it has no {CONTENTS}; give a folder that "
            f"`pipeline package` wrote"
        )
    try:
        contents = parsed(path.read_bytes(), Contents)
    except ValueError:
        raise PipelineError(
            f"{path} is damaged or of another form: get the package again"
        ) from None
    if contents.form != FORM:
        raise PipelineError(
            f"{place} is a package of form {contents.form}, and this code reads form {FORM}: use "
            f"the code that lies in it"
        )
    if wrong := [*_wrong(place, contents.files)]:
        if len(wrong) > NAMED:
            wrong[NAMED:] = [f"and {len(wrong) - NAMED} more"]
        listed = "\n  ".join(wrong)
        raise PipelineError(
            f"{place} is not as it was packaged:\n  {listed}\nGet the package again; what it "
            f"answers would not be the model's word."
        )
    return Package(place, contents)


def _wrong(place: Path, files: Mapping[str, str]) -> Iterator[str]:
    for name, digest in files.items():
        path = place / name
        if not path.is_file():
            yield f"{name} is missing"
        elif digest_file(path) != digest:
            yield f"{name} has another digest than {CONTENTS} lists"
    for folder in sorted({name.partition("/")[0] for name in files if "/" in name}):
        for path in sorted((place / folder).rglob("*")):
            name = path.relative_to(place).as_posix()
            if path.is_file() and name not in files and path.parent.name != "__pycache__":
                yield f"{name} is not listed"
