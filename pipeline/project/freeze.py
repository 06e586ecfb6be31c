"""A trained model taken out of the graph that trains it, for feature sets and models to build on.

What is encoded by a model that is trained anew each night is encoded anew each night. A frozen one
stays as it is until somebody freezes another, so that k new files cost k files' work; and DVC,
which lets no stage feed those before it, sees weights like any others.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.core.files.atomic import half
from pipeline.encoders._aligned import Frozen, FrozenSet
from pipeline.params import FeatureSection, parse
from pipeline.project.model_files import find_model
from pipeline.store.files.output_path import check_outside


def freeze(root: Path, model: str, out: Path, revision: str | None = None) -> list[str]:
    """Write a model's files into a new folder and, of one with a space, a graph a modality.

    Parameters
    ----------
    root:
        The project's folder.
    revision:
        Branch, tag or commit; None: the work tree, or what an alias says.

    Returns
    -------
    The modalities that can be encoded by what was written.

    Raises
    ------
    PipelineError
        There is no such model, it is not trained or damaged, or `out` is taken or below data/.
    """
    from pipeline.models.compression.export import vector_graph
    from pipeline.models.saving import load_model

    check_outside(out, root)
    if out.exists():
        raise PipelineError(f"{out} is there already: what was frozen stays; take another folder")
    files = find_model(root, model, revision)
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = half(out)
    scratch.mkdir()
    try:
        with files.folder() as folder:
            trained = load_model(folder)
            for path in sorted(folder.iterdir()):
                shutil.copyfile(path, scratch / path.name)
        modalities = [] if trained.options.alignment is None else files.modalities
        features = parse(files.about.params, f"params.yaml of {model}").features
        for modality in modalities:
            graph = vector_graph(trained.torch_network, trained.sets, modality)
            (scratch / f"{modality}.onnx").write_bytes(graph)
            used = [spec.name for spec in trained.sets if spec.modality == modality]
            frozen = _frozen(trained.torch_network.with_space().options.dimension, used, features)
            text = json.dumps(asdict(frozen), indent=1, ensure_ascii=False) + "\n"
            (scratch / f"{modality}.json").write_text(text, encoding="utf-8")
        scratch.rename(out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return modalities


def _frozen(dimension: int, used: list[str], features: Mapping[str, FeatureSection]) -> Frozen:
    sets = [
        FrozenSet(
            name,
            features[name].encoder,
            features[name].options.model_dump(mode="json"),
            features[name].dtype,
        )
        for name in used
    ]
    return Frozen(dimension, sets)
