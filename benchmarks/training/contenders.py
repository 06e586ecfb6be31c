"""One epoch of training, its batches had one way, timed in a process of its own.

    python -m benchmarks.training.contenders WAY PROJECT    prints JSON

Every way trains the same network on the same batches in the same order; the loss of the first step
shows that it does. An epoch goes before the one that is timed. Loaders read the project's own
Parquet as their documentation has it: the table with pyarrow, a row at a time in `__getitem__`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch.utils.data import DataLoader, Dataset

from pipeline.core.randomness import generator
from pipeline.models.examples import Examples, build_examples, classes_of
from pipeline.models.network import Network
from pipeline.models.options import ModelOptions
from pipeline.models.training.batches import (
    MicroBatch,
    NetworkInputs,
    Tensors,
    epoch,
    microbatches,
    prefetch,
)
from pipeline.models.training.determinism import deterministic
from pipeline.models.training.losses import example_weights, loss
from pipeline.models.training.optimization import Optimization
from pipeline.models.training.parallel import SINGLE_PROCESS
from pipeline.models.training.throughput import Throughput
from pipeline.store.join import join_work_tree

SETS = {"pictures": "image", "words": "text", "voices": "audio"}
OPTIONS = ModelOptions.model_validate(
    {
        "features": list(SETS),
        "fusion": "concatenation",
        "tasks": {"kind": {"classes": "as_is"}},
        "primary": "kind",
    }
)
CPU = torch.device("cpu")
Batches = Iterator[tuple[int, list[MicroBatch]]]
# A way's epochs: called once for each.
Way = Callable[[Examples, Path], Callable[[], Batches]]


def ours(training: Examples, project: Path) -> Callable[[], Batches]:
    """As `train` has them: gathered from the joined features."""
    source = Tensors(training, CPU)
    weights = _weights(training)
    rng = generator(7, "batches")
    return lambda: prefetch(microbatches(rng, training, source, weights, OPTIONS, SINGLE_PROCESS))


class Rows(Dataset[dict[str, Any]]):
    """One sample an item: a row of each feature set's table."""

    def __init__(self, training: Examples, project: Path) -> None:
        self.weights = _weights(training)["kind"]
        self.targets = training.targets["kind"]
        data = project / "data"
        samples = pa.concat_tables(
            pq.read_table(path) for path in sorted((data / "curated").glob("*.parquet"))
        ).to_pylist()
        by_id = {sample["sample_id"]: sample for sample in samples}
        self.samples = [by_id[one] for one in training.sample_ids]
        self.tables, self.places = {}, {}
        for name in SETS:
            files = sorted((data / "features" / name).glob("*.parquet"))
            table = pa.concat_tables(pq.read_table(file) for file in files).combine_chunks()
            digests = table["digest"].to_pylist()
            self.tables[name] = table["vector"].chunk(0)
            self.places[name] = {digest: row for row, digest in enumerate(digests)}

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, asked: tuple[int, np.ndarray]) -> dict[str, Any]:
        row, shown = asked
        values, there = {}, []
        for name, modality in SETS.items():
            place = self.places[name].get(self.samples[row][modality])
            vectors = self.tables[name]
            values[name] = (
                np.zeros(vectors.type.list_size, np.float32)
                if place is None
                else np.array(vectors[place].values)
            )
            there.append(place is not None)
        return {
            "values": values,
            "lengths": dict.fromkeys(SETS, 1),
            "present": np.array(there) & shown,
            "target": self.targets[row],
            "weight": self.weights[row],
        }


def loader(workers: int) -> Way:
    """torch's DataLoader over rows, in so many processes; 0: in this one."""

    def way(training: Examples, project: Path) -> Callable[[], Batches]:
        rows = Rows(training, project)
        rng = generator(7, "batches")

        def batches() -> Batches:
            drawn = epoch(rng, training, OPTIONS.batch_size, OPTIONS.modality_dropout)
            order = [list(zip(some, shown, strict=True)) for some, _, shown in drawn]
            # It draws a seed, which else would be one of dropout's numbers.
            apart = torch.Generator()
            for batch in DataLoader(
                rows, batch_sampler=order, num_workers=workers, generator=apart
            ):
                inputs = NetworkInputs(batch["values"], batch["lengths"], batch["present"])
                own = {"kind": batch["target"]}, {"kind": batch["weight"]}
                yield len(batch["target"]), [MicroBatch(inputs, *own, torch.ones(1))]

        return batches

    return way


WAYS: dict[str, Way] = {
    "ours": ours,
    "DataLoader, no process": loader(0),
    "DataLoader, 2 processes": loader(2),
}


def measure(way: str, project: Path) -> dict[str, float]:
    """First loss, share of waiting, examples a second of the second epoch."""
    joined = join_work_tree(project / "data", SETS)
    whole = build_examples([joined], SETS, classes_of(joined, OPTIONS.tasks), OPTIONS.tasks)
    training = whole.take(joined.split == "train")
    training = training.take(training.seen)
    with deterministic(7, "train"):
        network = Network(training.sets, {"kind": 7}, OPTIONS)
        batches = WAYS[way](training, project)
        steps = 2 * -(-len(training) // OPTIONS.batch_size)
        optimization = Optimization(network.parameters(), [], OPTIONS, steps, CPU)
        first = _epoch(network, optimization, batches(), Throughput())
        clock, began = Throughput(), time.perf_counter()
        _epoch(network, optimization, batches(), clock)
        seconds = time.perf_counter() - began
    share = clock.waited / (clock.waited + clock.computed)
    return {"loss": first, "wait": share, "examples_per_second": len(training) / seconds}


def _epoch(
    network: Network, optimization: Optimization, batches: Batches, clock: Throughput
) -> float:
    """Train on all batches; the loss of the first step."""
    losses = []
    network.train()
    for _, parts in clock.timed(batches):
        for piece in parts:
            inputs = piece.inputs
            logits = network(inputs.values, inputs.lengths, inputs.present)
            each = loss(logits, piece.targets, piece.weights, OPTIONS.tasks, 0.1)
            stacked = torch.stack(list(each.values())) * piece.portion
            optimization.backward(stacked.sum())
            losses.append(stacked.sum().item())
        optimization.step(SINGLE_PROCESS)
    return losses[0]


def _weights(training: Examples) -> dict[str, torch.Tensor]:
    return example_weights(training, {"kind": 7}, OPTIONS.tasks, CPU)


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]))))
