"""Joined features of train and validation → a trained model on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import PipelineError
from pipeline.core.folders import FEATURES

if TYPE_CHECKING:
    from pipeline.models.examples import Examples
    from pipeline.models.options import ModelOptions
    from pipeline.models.training.loop import Trained
    from pipeline.models.training.parallel import World

# Calls its function in so many processes, with (rank, size, address): what rank 0 gives.
RunDistributed = Callable[[Callable[[int, int, str], dict[str, Any]], int], dict[str, Any]]


@dataclass(frozen=True)
class Training:
    """One model to be trained on curated samples and their features, and saved into `folder`.

    Parameters
    ----------
    sets:
        Feature set → modality.
    root:
        The data directory.
    inputs:
        Digests of what is read, for the model's description.
    snapshot, key:
        The file that a killed training goes on from, and the key that it must be of.
    processor:
        What the model's key says that computes.
    frozen:
        The folder of a frozen model whose towers this one begins with; None: it begins at random.
    """

    folder: Path
    options: ModelOptions
    sets: Mapping[str, str]
    seed: int
    root: Path
    inputs: Mapping[str, str]
    snapshot: Path
    key: str
    processor: str
    frozen: Path | None = None

    def run(self, distribute: RunDistributed) -> dict[str, Any]:
        """Train and save the model.

        Parameters
        ----------
        distribute:
            Starts `options.workers` processes; each reads the features for itself.

        Returns
        -------
        What the run record tells of it: see `Trained.spent`, and `diverged`; or why it is
        `untrained`.
        """
        # Other processes may work in other folders.
        paths = {name: getattr(self, name).absolute() for name in ("folder", "root", "snapshot")}
        job = replace(self, **paths, frozen=self.frozen and self.frozen.absolute())
        return distribute(partial(_train_as_one_of, job), self.options.workers)

    def train(self, world: World) -> dict[str, Any]:
        """Train as one process of them all; the first saves the model."""
        from pipeline.core.machine.device import torch_device
        from pipeline.models.examples import build_examples, classes_of
        from pipeline.models.saving import load_model, save_model, save_untrained
        from pipeline.models.targets import Unlearnable
        from pipeline.models.training.loop import train
        from pipeline.models.training.snapshot import Snapshots
        from pipeline.store.join import join_work_tree

        options = self.options
        views = [join_work_tree(self.root, self.sets, view) for view in range(options.views + 1)]
        classes = classes_of(views[0], options.tasks)
        data = build_examples(views, self.sets, classes, options.tasks)
        training = data.take(views[0].split == "train")
        validation = data.take(views[0].split == "validation", views=1)
        device = torch_device(options.device)
        snapshots = Snapshots(self.snapshot, self.key, writes=world.rank == 0)
        about = self._about(training, validation)
        towers_from = load_model(self.frozen).torch_network if self.frozen else None
        try:
            trained = train(
                training,
                validation,
                classes,
                options,
                self.seed,
                device,
                snapshots,
                world,
                towers_from=towers_from,
            )
        except Unlearnable as error:
            if world.rank == 0:
                save_untrained(self.folder, str(error), data.sets, classes, options, about)
            return {"untrained": str(error)}
        if world.rank == 0:
            about |= _diverged(trained)
            save_model(self.folder, trained, data.sets, classes, options, about)
        return trained.spent | _diverged(trained)

    def _about(self, training: Examples, validation: Examples) -> dict[str, Any]:
        """What model.json says of the data, beside what the training itself says."""
        from pipeline.parts.manifest import read_function

        return {
            "samples": {
                name: {"seen": int(part.seen.sum()), "unseen": int((~part.seen).sum())}
                for name, part in (("train", training), ("validation", validation))
            },
            "seed": self.seed,
            "inputs": dict(self.inputs),
            "made_by": {name: read_function(self.root / FEATURES / name) for name in self.sets},
        }


def _train_as_one_of(job: Training, rank: int, size: int, address: str) -> dict[str, Any]:
    from pipeline.core.machine.processor import processor
    from pipeline.models.training.parallel import join_world

    if not job.folder.is_dir():
        raise PipelineError(
            f"training on a Ray cluster needs the project's files on all nodes, and one does not "
            f"see {job.folder}: put the project on a shared file system"
        )
    if (here := processor(job.options.device)) != job.processor:
        raise PipelineError(
            f"a worker would train on another processor ({here}) than the key says "
            f"({job.processor}): take nodes of one kind"
        )
    with join_world(rank, size, address, job.options.device) as world:
        return job.train(world)


def _diverged(trained: Trained) -> dict[str, Any]:
    """What model.json says of a training that diverged; nothing of any other."""
    return {} if trained.diverged is None else {"diverged": {"epoch": trained.diverged}}
