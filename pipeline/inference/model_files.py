"""Which model is meant, where its files lie, and that they are those which training wrote.

NumPy is not loaded for it: who computes must first know by which instruction set (`hold`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.core.errors import PipelineError, unknown
from pipeline.core.files.digest import digest_file, digest_json
from pipeline.core.files.documents import document
from pipeline.core.folders import CLEAN, MODELS
from pipeline.core.machine.environment import hold
from pipeline.models.feature_compatibility import check_features
from pipeline.params.aliases import read_aliases
from pipeline.parts import manifest
from pipeline.parts.artifact import MANIFEST, Manifest
from pipeline.store.model_card import CARD
from pipeline.store.trees.git import describe_head
from pipeline.store.trees.opening import open_tree
from pipeline.store.trees.revision import Revision
from pipeline.store.trees.tree import Tree


@dataclass(frozen=True)
class _Contract:
    """What model.json says of the features that it was trained on."""

    made_by: dict[str, dict[str, Any]]
    features: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class _Untrained:
    untrained: str = ""


@dataclass(frozen=True)
class ModelFiles:
    """A trained model in a tree: of the work tree or of a revision."""

    tree: Tree
    name: str

    @property
    def revision(self) -> str:
        """The commit of the tree, `-dirty` where the work tree differs; empty outside git."""
        tree = self.tree
        return tree.commit if isinstance(tree, Revision) else describe_head(tree.project)

    @cached_property
    def digests(self) -> dict[str, str]:
        """File → MD5 of what training wrote, without its learning curves."""
        files = document(self._file(MANIFEST), Manifest).files
        return {name: md5 for name, md5 in files.items() if "/" not in name}

    @property
    def digest(self) -> str:
        """One of them all."""
        return digest_json(self.digests)

    @property
    def features(self) -> list[str]:
        """The feature sets that it reads, in its order."""
        return list(self._contract.features)

    @property
    def modalities(self) -> list[str]:
        """Whose features they are, sorted."""
        return sorted({str(about["modality"]) for about in self._contract.features.values()})

    @property
    def trained_on(self) -> dict[str, Mapping[str, Any]]:
        """Feature set, or stage of cleaning → the function that made what it was trained on."""
        functions: dict[str, Mapping[str, Any]] = {}
        for modality in self.modalities:
            path = self.tree.file(f"{CLEAN}/{modality}/{manifest.MANIFEST}")
            functions[f"{CLEAN}/{modality}"] = document(path, manifest.Manifest).function
        return functions | self._contract.made_by

    @property
    def params(self) -> Mapping[str, Any]:
        """What params.yaml says there."""
        return self.tree.params

    @property
    def where(self) -> str:
        """That file, for messages."""
        return f"params.yaml of {self.tree.name}"

    def hold(self) -> None:
        """Put this process under the instruction set that its features were made with.

        Raises
        ------
        PipelineError
            NumPy is loaded and computes with another.
        """
        for function in self._contract.made_by.values():
            hold(function["processor"])

    def check(self, functions: Mapping[str, Mapping[str, Any]]) -> None:
        """PipelineError unless these are the functions that made what it was trained on."""
        check_features(self.name, self.trained_on, functions)

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """The model's files in a folder, by their names.

        Raises
        ------
        PipelineError
            A file is not what training wrote: it was changed, or only in part copied.
        """
        with TemporaryDirectory(prefix="model-") as temporary:
            for name, md5 in self.digests.items():
                path = self._file(name).absolute()
                if digest_file(path, "md5") != md5:
                    raise PipelineError(
                        f"{path} of model '{self.name}' is not the file that training wrote: its "
                        f"digest is another one than its {MANIFEST} says. `dvc checkout --force` "
                        f"brings it back"
                    )
                (Path(temporary) / name).symlink_to(path)
            yield Path(temporary)

    @cached_property
    def _contract(self) -> _Contract:
        path = self._file(CARD)
        if reason := document(path, _Untrained).untrained:
            raise PipelineError(f"model '{self.name}' is not trained: {reason}")
        return document(path, _Contract)

    def _file(self, name: str) -> Path:
        return self.tree.file(f"{MODELS}/{self.name}/{name}")


def find_model(root: Path, model: str, revision: str | None = None) -> ModelFiles:
    """A model by its name in params.yaml, or by an alias such as `champion`.

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
    trained = [name for name in tree.names(MODELS) if MANIFEST in tree.names(f"{MODELS}/{name}")]
    if model not in trained:
        named = f"{unknown(f'model in {tree.name}', model, [*trained, *aliases])}"
        waiting = model in (tree.params.get("models") or {})
        raise PipelineError(f"{named}; `dvc repro train@{model}` makes it" if waiting else named)
    return ModelFiles(tree, model)
