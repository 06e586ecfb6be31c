"""The tree that a person means, and what made its feature sets; NumPy is not loaded for that."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.core.files.documents import document
from pipeline.core.folders import DATA, FEATURES
from pipeline.parts.manifest import MANIFEST, Manifest
from pipeline.store.trees.revision import Revision, decoded
from pipeline.store.trees.tree import Tree, WorkTree


def open_tree(project: Path, rev: str | None = None) -> Tree:
    """The work tree of a project, or a revision of it.

    Raises
    ------
    PipelineError
        There is no project, no such revision, or it has no data.
    """
    if rev is not None:
        return Revision.at(project, rev)
    path = project / "params.yaml"
    if not path.is_file():
        raise PipelineError(
            f"{project.absolute()} holds no params.yaml: give the folder of a project"
        )
    decoded(path.read_bytes(), str(path))
    return WorkTree(project / DATA)


def processor_of(tree: Tree, feature_set: str) -> str:
    """The name of the processor by which a feature set's rows were made.

    Raises
    ------
    PipelineError
        The tree has no such feature set, or its manifest is damaged.
    """
    manifest = document(tree.file(f"{FEATURES}/{feature_set}/{MANIFEST}"), Manifest)
    return str(manifest.function["processor"])
