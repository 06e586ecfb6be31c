"""Joined features of train and validation → a trained model on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.models.options import ModelOptions
    from pipeline.models.training.loop import Trained
    from pipeline.models.training.parallel import World

# Calls its function in so many processes, with (rank, size, address): what rank 0 gives.
RunDistributed = Callable[[Callable[[int, int, str], dict[str, Any]], int], dict[str, Any]]


def train_model(
    folder: Path,
    options: ModelOptions,
    sets: Mapping[str, str],
    seed: int,
    root: Path,
    inputs: Mapping[str, str],
    snapshot: tuple[Path, str],
    together: RunDistributed,
) -> dict[str, Any]:
    """Train one model on curated samples and their features, and save it into `folder`.

    Parameters
    ----------
    sets:
        Feature set → modality.
    root:
        The data directory.
    inputs:
        Digests of what is read, for the model's description.
    snapshot:
        The file that a killed training goes on from, and the key that it must be of.
    together:
        Starts the processes where `options.workers` asks for more than one; each reads the
        features for itself.

    Returns
    -------
    What the run record tells of it: see `Trained.spent`, and `diverged`.
    """
    path, key = snapshot
    learn = partial(
        _train,
        folder.absolute(),
        options,
        dict(sets),
        seed,
        root.absolute(),
        dict(inputs),
        (path.absolute(), key),
    )
    if options.workers == 1:
        from pipeline.models.training.parallel import ALONE

        return learn(ALONE)
    return together(partial(_train_as_one_of, learn, options.device), options.workers)


def _train_as_one_of(
    learn: Callable[[World], dict[str, Any]], device: str, rank: int, size: int, address: str
) -> dict[str, Any]:
    from pipeline.models.training.parallel import world

    with world(rank, size, address, device) as process:
        return learn(process)


def _train(
    folder: Path,
    options: ModelOptions,
    sets: Mapping[str, str],
    seed: int,
    root: Path,
    inputs: Mapping[str, str],
    snapshot: tuple[Path, str],
    world: World,
) -> dict[str, Any]:
    from pipeline.core.machine.device import torch_device
    from pipeline.models.examples import classes_of, examples
    from pipeline.models.saving import save_model
    from pipeline.models.training.loop import train
    from pipeline.models.training.snapshot import Snapshots
    from pipeline.parts.manifest import read_function
    from pipeline.store.join import join_work_tree

    views = [join_work_tree(root, sets, view) for view in range(options.views + 1)]
    classes = classes_of(views[0], options.tasks)
    data = examples(views, sets, classes, options.tasks)
    training = data.take(views[0].split == "train")
    validation = data.take(views[0].split == "validation", views=1)
    device = torch_device(options.device)
    snapshots = Snapshots(*snapshot, writes=world.rank == 0)
    trained = train(training, validation, classes, options, seed, device, snapshots, world)
    samples = {
        name: {
            "seen": int(part.seen.sum()),
            "unseen": int((~part.seen).sum()),
        }
        for name, part in (("train", training), ("validation", validation))
    }
    made_by = {name: read_function(root / "features" / name) for name in sets}
    about = {"samples": samples, "seed": seed, "inputs": dict(inputs), "made_by": made_by}
    if world.rank == 0:
        save_model(folder, trained, data.sets, classes, options, about | _diverged(trained))
    return trained.spent | _diverged(trained)


def _diverged(trained: Trained) -> dict[str, Any]:
    """What model.json says of a training that diverged; nothing of any other."""
    return {} if trained.diverged is None else {"diverged": {"epoch": trained.diverged}}
