"""Which model is meant, where its files lie, and that they are those which training wrote."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.core.errors import PipelineError, unknown
from pipeline.core.files.digest import digest_file, digest_json
from pipeline.core.files.documents import document
from pipeline.core.folders import CLEAN, COMPRESSED, MODELS
from pipeline.core.machine.environment import hold
from pipeline.models.examples import FeatureSpec
from pipeline.models.feature_compatibility import check_features
from pipeline.models.options import ModelOptions
from pipeline.params.aliases import read_aliases
from pipeline.parts import manifest
from pipeline.parts.artifact import MANIFEST, Manifest
from pipeline.parts.fingerprint_diff import differences
from pipeline.project.contents import CONTENTS, DESCRIPTION, check_contents, description
from pipeline.store.model_card import CARD
from pipeline.store.trees.git import describe_head
from pipeline.store.trees.opening import open_tree
from pipeline.store.trees.revision import Revision

# The folder of a package that holds weights of encoders, by feature set.
WEIGHTS = "weights"
# What of params.yaml feature sets are made by; the rest may be of another time.
SECTIONS = ("seed", "instructions", "sources", "look", "modalities", "targets", "clean")


@dataclass(frozen=True)
class Description:
    """All that is to be known of a model beside its own files.

    Parameters
    ----------
    revision:
        The commit that it is of, `-dirty` where a work tree differed; empty outside git.
    features:
        The feature sets that it reads, in its order.
    params:
        The sections of params.yaml by which these are made.
    trained_on:
        Feature set, or stage of cleaning → fingerprint of what made its training's data.
    files:
        The model's files by name → MD5.
    """

    model: str
    revision: str
    features: list[str]
    params: dict[str, Any]
    trained_on: dict[str, dict[str, Any]]
    files: dict[str, str]

    @property
    def digest(self) -> str:
        """One digest of all the model's files."""
        return digest_json(self.files)


@dataclass(frozen=True)
class ModelFiles:
    """A trained model where it lies; `paths` maps its files, by name, to where they are."""

    about: Description
    paths: Mapping[str, Path]

    @property
    def modalities(self) -> list[str]:
        """Those that the model reads, sorted."""
        return sorted({spec.modality for spec in self.sets})

    @property
    def sets(self) -> tuple[FeatureSpec, ...]:
        """The feature sets that the model reads, in its order."""
        card = document(self.paths[CARD], _Card)
        return tuple(
            FeatureSpec(name, entry["modality"], tuple(entry["shape"]))
            for name, entry in card.features.items()
        )

    @property
    def options(self) -> ModelOptions:
        """What the model is made of, and its tasks."""
        return ModelOptions.model_validate(document(self.paths[CARD], _Card).options)

    def hold(self) -> None:
        """Let through a process under the instruction set that the model's features were made with.

        Raises
        ------
        PipelineError
            NumPy is loaded and computes with another.
        """
        for function in self.about.trained_on.values():
            hold(function["processor"])

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """The model's files in a folder, by their names.

        Raises
        ------
        PipelineError
            A file is not what training wrote: it was changed, or copied in part alone.
        """
        with TemporaryDirectory(prefix="model-") as temporary:
            for name, md5 in self.about.files.items():
                path = self.paths[name].absolute()
                if not path.is_file() or digest_file(path, "md5") != md5:
                    raise PipelineError(
                        f"{path} of model '{self.about.model}' is not the file that training "
                        f"wrote: it is missing, or its digest is another. Bring the model back "
                        f"whole, in a project by `dvc checkout --force`"
                    )
                (Path(temporary) / name).symlink_to(path)
            yield Path(temporary)

    def check(self, functions: Mapping[str, Mapping[str, Any]]) -> None:
        """PipelineError unless these are the functions that made what the model was trained on."""
        check_features(self.about.model, self.about.trained_on, functions)

    def write(self, folder: Path) -> None:
        """Put the model's files and its description into a folder, for `open_model`."""
        with self.folder() as files:
            for path in files.iterdir():
                shutil.copyfile(path, folder / path.name)
        text = json.dumps(asdict(self.about), indent=1, ensure_ascii=False) + "\n"
        (folder / DESCRIPTION).write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class HandedOver(ModelFiles):
    """One that lies in a folder, where no project could train it again."""

    def check(self, functions: Mapping[str, Mapping[str, Any]]) -> None:
        if wrong := [
            f"{name}: {difference}"
            for name, before in self.about.trained_on.items()
            for difference in differences(before, functions[name])
        ]:
            listed = "\n  ".join(wrong)
            raise PipelineError(
                f"here the model '{self.about.model}' would be given other features than it was "
                f"trained on:\n  {listed}\nInstall the libraries of its requirements.txt, and "
                f"bring the weights that its model_card.md lists."
            )


@dataclass(frozen=True)
class _Card:
    """What model.json says of the features that the model was trained on, and of itself."""

    features: dict[str, dict[str, Any]]
    made_by: dict[str, dict[str, Any]]
    options: dict[str, Any]


@dataclass(frozen=True)
class _Offered:
    """Why a model cannot be asked; empty where it can."""

    untrained: str = ""
    refused: str = ""


def find_model(root: Path, model: str, revision: str | None = None) -> ModelFiles:
    """A model of a project by its name in params.yaml, or by an alias such as `champion`.

    Parameters
    ----------
    root:
        The project's folder.
    revision:
        Branch, tag or commit; None: the work tree, or what the alias says.

    Raises
    ------
    PipelineError
        There is no such model, alias or revision, or it is not trained.
    """
    aliases = read_aliases(root)
    if model in aliases:
        alias = aliases[model]
        if revision is not None:
            raise PipelineError(
                f"the alias '{model}' names a revision itself ({alias.revision[:12]}): leave out "
                f"the other, or ask for the model '{alias.model}'"
            )
        model, revision = alias.model, alias.revision
    tree = open_tree(root, revision)
    folders = {
        name: f"{folder}/{name}"
        for folder in (COMPRESSED, MODELS)
        for name in tree.names(folder)
        if MANIFEST in tree.names(f"{folder}/{name}")
    }
    if model not in folders:
        message = unknown(f"model in {tree.name}", model, [*folders, *aliases])
        waiting = model in (tree.params.get("models") or {})
        raise PipelineError(message + f"; `dvc repro train@{model}` makes it" * waiting)
    written = document(tree.file(f"{folders[model]}/{MANIFEST}"), Manifest).files
    # Without learning curves and pages, of which no answer comes.
    files = {name: md5 for name, md5 in written.items() if Path(name).stem == Path(CARD).stem}
    paths = {name: tree.file(f"{folders[model]}/{name}") for name in files}
    offered = document(paths[CARD], _Offered)
    if reason := offered.untrained or offered.refused:
        what = "trained" if offered.untrained else "offered"
        raise PipelineError(f"model '{model}' is not {what}: {reason}")
    card = document(paths[CARD], _Card)
    functions = dict(card.made_by)
    for modality in sorted({str(about["modality"]) for about in card.features.values()}):
        cleaned = tree.file(f"{CLEAN}/{modality}/{manifest.MANIFEST}")
        functions[f"{CLEAN}/{modality}"] = document(cleaned, manifest.Manifest).function
    params = sections_of_features(tree.params, card.features)
    commit = tree.commit if isinstance(tree, Revision) else describe_head(root)
    about = Description(model, commit, list(card.features), params, functions, files)
    return ModelFiles(about, paths)


def sections_of_features(params: Mapping[str, Any], sets: Iterable[str]) -> dict[str, Any]:
    """What of a params.yaml says how some feature sets are made."""
    features = params.get("features") or {}
    sections = {name: params[name] for name in SECTIONS if name in params}
    return sections | {"features": {name: features[name] for name in sets if name in features}}


def open_model(folder: Path) -> ModelFiles:
    """A model from a folder that was handed over, as `ModelFiles.write` laid it out.

    Weights of encoders that lie in the folder are looked for there.

    Raises
    ------
    PipelineError
        The folder holds none, its description is damaged, or a file of it is not as it lists.
    """
    path = description(folder)
    if (folder / CONTENTS).is_file():
        check_contents(folder)
    about = document(path, Description)
    for section in about.params["features"].values():
        if str(section.get("model", "")).startswith(f"{WEIGHTS}/"):
            section["model"] = str(folder / section["model"])
    return HandedOver(about, {name: folder / name for name in about.files})
