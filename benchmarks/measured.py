"""One benchmark run: the limit, this project and its peers on named batches, in fresh folders."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import ours, parity
from benchmarks.cpu import Spent, spend
from benchmarks.kernels import PROJECT, SETS

# Peer → its environment, and the least cosine to our vectors; None asks for equal bits.
PEERS: dict[str, tuple[str, dict[str, float] | None]] = {
    "loop": ("ray_data", None),
    "pool": ("ray_data", None),
    "datasets_map": ("datasets", None),
    "daft": ("daft", None),
    "ray_data_tuned": ("ray_data", None),
    "ray_data_docs": ("ray_data", {"image": 0.98, "audio": 0.9999}),
}


@dataclass(frozen=True)
class Run:
    """Where the batches lie, where results may go, and what runs the peers."""

    batches: dict[str, Path]
    scratch: Path
    pythons: dict[str, Path]
    workers: int

    def parity(self, batch: str) -> dict[str, dict[str, Any]]:
        """Peer → modality → its distance to our vectors; ParityError where it is too far."""
        self.ours(batch, "serial")
        found: dict[str, dict[str, Any]] = {}
        for peer, (_, least) in PEERS.items():
            self.peer(peer, batch)
            found[peer] = {}
            for modality, name in SETS.items():
                mine = parity.vectors(self.scratch / f"{batch}-serial" / "data/features" / name)
                theirs = parity.vectors(self.scratch / f"{batch}-{peer}" / modality)
                apart = parity.distance(mine, theirs)
                parity.check(f"{peer}, {modality}", apart, least[modality] if least else None)
                found[peer][modality] = asdict(apart)
        return found

    def limit(self, batch: str) -> dict[str, float]:
        """Modality → CPU seconds of the bare kernels, on one thread."""
        log = self.scratch / f"{batch}-limit.log"
        raw, out = self.batches[batch], self.scratch / f"{batch}-limit"
        command = [sys.executable, "-m", "benchmarks.limit", str(raw), str(out)]
        spend(command, PROJECT, ours.environment(), log)
        spent: dict[str, float] = json.loads(log.read_text().splitlines()[-1])
        _say("limit", batch, spent["image"] + spent["audio"])
        return spent

    def ours(self, batch: str, executor: str) -> dict[str, dict[str, float]]:
        """Stage → what it spent, in a project of its own."""
        project = self._put(f"{batch}-{executor}", batch, executor)
        return _told(f"this project, {executor}", batch, ours.run(project))

    def graph(self, batch: str, executor: str) -> dict[str, dict[str, float]]:
        """What all stages spent under one parent, which lets them share Ray's head."""
        project = self._put(f"{batch}-{executor}-graph", batch, executor)
        return _told(f"this project, {executor}, as a graph", batch, ours.graph(project))

    def peer(self, name: str, batch: str) -> dict[str, float]:
        """What a peer spent."""
        out = self.scratch / f"{batch}-{name}"
        out.mkdir()
        raw = self.batches[batch]
        command = [
            str(self.pythons[name]), "-m", f"benchmarks.peers.{name}",
            str(raw), str(out), str(self.workers),
        ]  # fmt: skip
        spent: Spent = spend(command, PROJECT, ours.environment(), self.scratch / f"{name}.log")
        _say(name, batch, spent.cpu_s)
        return asdict(spent)

    def _put(self, name: str, batch: str, executor: str) -> Path:
        project = self.scratch / name
        ours.put_project(project, executor, self.workers)
        ours.add_batch(project, self.batches[batch])
        return project


def _told(job: str, batch: str, spent: dict[str, Spent]) -> dict[str, dict[str, float]]:
    _say(job, batch, sum(stage.cpu_s for stage in spent.values()))
    return {label: asdict(stage) for label, stage in spent.items()}


def _say(job: str, batch: str, cpu_s: float) -> None:
    print(f"{job} on {batch}: {cpu_s:.1f} CPU-s", flush=True)
