"""A trained model → a folder, or a .zip, that answers by itself: `Predictor.open` reads it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import distribution
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_file, digest_json
from pipeline.core.folders import (
    ASSETS,
    AUGMENTED,
    CLEAN,
    COMPRESSED,
    CURATE_COUNTS,
    CURATED,
    DATA,
    EVALUATION,
    FEATURES,
    INGEST_COUNTS,
    MODELS,
    SAMPLES,
)
from pipeline.core.registry import locate
from pipeline.encoders import FOLDER as ENCODERS
from pipeline.modalities import FOLDER as MODALITIES
from pipeline.modalities import has_part, part
from pipeline.models.saving import GRAPH
from pipeline.packaging.archive import write_zip
from pipeline.packaging.code import needed, source
from pipeline.packaging.data_card import data_card
from pipeline.packaging.markdown import TEMPLATES
from pipeline.packaging.model_card import Preprocessing, model_card
from pipeline.packaging.requirements import PROJECT, locked
from pipeline.packaging.weights import EncoderWeights, encoder_weights
from pipeline.params import Params, parse
from pipeline.params.aliases import read_aliases
from pipeline.params.resolved import resolved
from pipeline.parts import artifact
from pipeline.parts.code import PACKAGE, is_ours
from pipeline.project.contents import CONTENTS, write_contents
from pipeline.project.model_files import ModelFiles, find_model
from pipeline.raw.tracks import PART as TRACKS
from pipeline.raw.tracks import given
from pipeline.reporting.inputs import EvaluatedModel, ReportInputs
from pipeline.store.files.output_path import check_free, replacing_folder
from pipeline.store.trees.revision import Revision

if TYPE_CHECKING:
    from pipeline.models.saving import TrainedModel

LOG = logging.getLogger(__name__)
MODEL_CARD, DATA_CARD, PREDICT, LICENCE = "model_card.md", "data_card.md", "predict.py", "LICENSE"
REQUIREMENTS = "requirements.txt"
ARCHIVE = ".zip"
# What the cards tell of the data, below the data directory.
TABLES = (
    *(SAMPLES, ASSETS, CLEAN, AUGMENTED, FEATURES, CURATED),
    *(INGEST_COUNTS, CURATE_COUNTS),
)
# Parts of a modality that making features takes.
PARTS = ("clean", "content", "augment", TRACKS)
# What answering starts from, beside the plug-ins that the model and its features name. `parse`
# wants a source, whose kind a package says in `sources`.
ENTRIES = (
    "pipeline.inference.predictor",
    "pipeline.inference.samples",
    "pipeline.sources.folder",
)
SOURCES = {"files": {"kind": "folder"}}


def write_package(
    params: Params, name: str, out: Path, force: bool = False, rev: str | None = None
) -> str:
    """Write the package of a model that is trained, or compressed, and measured.

    Parameters
    ----------
    name:
        A model, or an alias, whose revision is then meant.
    out:
        A folder, or a file that ends in .zip; whole or not at all.
    force:
        Replace what is there, if it is a package.
    rev:
        Branch, tag or commit whose model and params are packaged, with the code that is here; None:
        the work tree's.

    Returns
    -------
    The SHA-256 of its contents.json, by which it is known.

    Raises
    ------
    PipelineError
        There is no such model, it is not trained, not evaluated as it is now, or would be given
        other features by this code; or `out` may not be written.
    """
    with _found(params, name, rev) as model:
        model.check()
        check_free(out, Path(), force)
        if out.suffix != ARCHIVE:
            with replacing_folder(out, CONTENTS) as folder:
                return model.write(folder)
        with TemporaryDirectory(prefix="package-") as temporary:
            folder = Path(temporary, out.stem)
            digest = model.write(folder)
            write_zip(folder, out)
            return digest


@contextmanager
def _found(params: Params, name: str, rev: str | None) -> Iterator[_Model]:
    """A model of the work tree; or of a revision, whose files are then linked into one folder."""
    files = find_model(Path(), name, rev)
    alias = read_aliases(Path()).get(name)
    rev = alias.revision if alias else rev
    name = files.about.model
    if rev is None:
        yield _Model(params, name, files, Path(DATA))
        return
    tree = Revision.at(Path(), rev)
    folders = {*TABLES, *(f"{folder}/{name}" for folder in (MODELS, EVALUATION, COMPRESSED))}
    outs = [
        out
        for out in tree.outs
        if any(folder == out or out.startswith(f"{folder}/") for folder in folders)
    ]
    with TemporaryDirectory(prefix="package-") as temporary:
        for path in tree.files(outs):
            link = Path(temporary, path)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(tree.file(path))
        params = parse(tree.params, f"params.yaml of revision {rev}")
        yield _Model(params, name, files, Path(temporary))


@dataclass(frozen=True)
class _Model:
    """A model that is to be packaged; `root` is the data directory that it lies in."""

    params: Params
    name: str
    files: ModelFiles
    root: Path

    @cached_property
    def inputs(self) -> ReportInputs:
        return ReportInputs(
            root=self.root,
            models=(self.name,),
            modalities=self.params.modalities,
            features=self.params.set_modalities,
            targets=self.params.targets,
            params_digest="",
            confidence=self.params.evaluate.confidence,
        )

    @cached_property
    def evaluated(self) -> EvaluatedModel:
        if self.name in self.params.compress:  # it was measured when it was made
            folder = self.root / COMPRESSED / self.name
            return EvaluatedModel(self.name, folder, folder, self.params.modalities)
        for model in self.inputs.evaluated:
            return model
        raise PipelineError(
            f"model '{self.name}' has no figures that its card could tell: `dvc repro "
            f"evaluate@{self.name}` measures it"
        )

    @property
    def modalities(self) -> list[str]:
        return list(self.evaluated.modalities)

    @cached_property
    def weights(self) -> list[EncoderWeights]:
        used = {name: self.params.features[name] for name in self.files.about.features}
        return [*encoder_weights(used, self.params.handover.licences)]

    @cached_property
    def trained(self) -> TrainedModel:
        """The network, loaded where this code makes the features that it was trained on."""
        from pipeline.inference import Predictor

        return Predictor.of(self.files).model

    def check(self) -> None:
        """PipelineError unless there is such a model, and its figures are of it."""
        if self.evaluated.trained == self.evaluated.evaluated:
            return
        trained = {f"model/{name}": md5 for name, md5 in self.files.about.files.items()}
        measured = artifact.read_manifest(self.evaluated.evaluated)["inputs"]
        if any(measured.get(name, md5) != md5 for name, md5 in trained.items()):
            raise PipelineError(
                f"the figures of model '{self.name}' are of another training than the model that "
                f"is here: `dvc repro evaluate@{self.name}` measures this one"
            )

    def write(self, folder: Path) -> str:
        """Fill a folder that is not there yet; the digest of its contents.json."""
        graph = _graph(self.trained)
        folder.mkdir()
        about = replace(self.files.about, params=self._sections())
        ModelFiles(about, self.files.paths).write(folder)
        if graph:
            (folder / GRAPH).write_bytes(graph)
        modules = self._modules()
        copies = {source(name): PACKAGE.parent / source(name) for name in filter(is_ours, modules)}
        for weights in self.weights:
            copies |= {Path(weights.place, path.name): path for path in weights.copied}
        for place, path in copies.items():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / place)
        for name, text in self._texts(modules, bool(graph)).items():
            (folder / name).write_text(text, encoding="utf-8")
        return write_contents(folder)

    def _modules(self) -> set[str]:
        """Those that answering takes; of third parties the plug-ins alone, which are libraries."""
        kinds = (self.params.features[name].encoder for name in self.files.about.features)
        plugins = {
            *(locate(ENCODERS, kind) for kind in kinds),
            *(
                part(modality, name)
                for modality in self.modalities
                for name in PARTS
                if has_part(modality, name) and self._takes(modality, name)
            ),
            *(locate(MODALITIES, modality) for modality in self.modalities),
            *self.files.options.modules,
        }
        return needed(filter(is_ours, [*ENTRIES, *plugins])) | plugins

    def _takes(self, modality: str, name: str) -> bool:
        """Whether a part is of use: one that takes out other modalities, only to these."""
        return name != TRACKS or not {*given(modality)}.isdisjoint(self.modalities)

    def _texts(self, modules: set[str], graph: bool) -> dict[str, str]:
        return {
            REQUIREMENTS: "".join(f"{line}\n" for line in locked(modules)),
            MODEL_CARD: self._model_card(graph),
            DATA_CARD: data_card(self.inputs, self._data),
            PREDICT: (TEMPLATES / "predict.txt").read_text(encoding="utf-8"),
            LICENCE: distribution(PROJECT).read_text(f"licenses/{LICENCE}") or "",
        }

    def _sections(self) -> dict[str, Any]:
        """What of params.yaml says how this model's features are made."""
        sections = resolved(self.params)
        features = {name: sections["features"][name] for name in self.files.about.features}
        for weights in self.weights:
            if weights.place:
                features[weights.feature_set]["model"] = weights.place
        return {
            "instructions": self.params.instructions,
            "sources": SOURCES,
            "modalities": self.modalities,
            "clean": {modality: sections["clean"][modality] for modality in self.modalities},
            "features": features,
        }

    @property
    def _data(self) -> str:
        return ", ".join(self.params.sources)

    def _model_card(self, graph: bool) -> str:
        sections = self._sections()
        options = {
            **{f"clean/{name}": section for name, section in sections["clean"].items()},
            **sections["features"],
        }
        trained, evaluated = self.evaluated.trained, self.evaluated.evaluated
        return model_card(
            self.inputs,
            self.evaluated,
            data=self._data,
            data_card=DATA_CARD,
            handover=self.params.handover,
            preprocessing=[
                Preprocessing(name, options[name], digest_json(function))
                for name, function in self.files.about.trained_on.items()
            ],
            weights=self.weights,
            digests={
                **{name: digest_file(trained / name) for name in self.files.about.files},
                **self.evaluated.card["inputs"],
                evaluated.relative_to(self.root).as_posix(): artifact.digest(evaluated),
            },
            graph=graph,
        )


def _graph(model: TrainedModel) -> bytes:
    """The network as a graph of ONNX, for other programs; empty where it is one, or can't be."""
    from torch.onnx import OnnxExporterError

    from pipeline.models.compression.export import onnx_graph
    from pipeline.models.network import Network

    if not isinstance(model.network, Network):
        return b""
    try:
        return onnx_graph(model.network, model.sets)
    except (OnnxExporterError, RuntimeError, TypeError) as error:
        LOG.warning("there is no ONNX form of this network: %s", error)
        return b""
