"""Joined features of train and validation → a trained model on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.models.options import ModelOptions


def make(
    folder: Path,
    options: ModelOptions,
    sets: Mapping[str, str],
    seed: int,
    root: Path,
    inputs: Mapping[str, str],
) -> None:
    """Train one model on curated samples and their features, and save it into `folder`.

    Parameters
    ----------
    sets:
        Feature set → modality.
    root:
        The data directory.
    inputs:
        Digests of what is read, for the model's description.
    """
    from pipeline.device import torch_device
    from pipeline.manifest import read_function
    from pipeline.models.examples import classes_of, examples
    from pipeline.models.saving import save
    from pipeline.models.training import train
    from pipeline.store.join import join

    views = [join(root, sets, view) for view in range(options.views + 1)]
    classes = classes_of(views[0], options.tasks)
    whole = examples(views, sets, classes, options.tasks)
    training = whole.take(views[0].split == "train")
    validation = whole.take(views[0].split == "validation", views=1)
    device = torch_device(options.device)
    trained = train(training, validation, classes, options, seed, device)
    samples = {
        name: {
            "seen": int(some.seen.sum()),
            "unseen": int((~some.seen).sum()),
        }
        for name, some in (("train", training), ("validation", validation))
    }
    made_by = {name: read_function(root / "features" / name) for name in sets}
    about = {"samples": samples, "seed": seed, "inputs": dict(inputs), "made_by": made_by}
    save(folder, trained, whole.sets, classes, options, about)
