"""Proof, where an encoder opens, that no place in its batch and no neighbour changes a row's bytes.

Kernels do not promise it. So the first rows of each shape of batch are encoded alone and then at
every place, beside each other: four batches, once a key and machine, which the machine's own cache
remembers. It can only stop a stage, and so is no part of a key.
"""

from __future__ import annotations

import functools
import platform
import threading
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from pipeline.core.errors import PipelineError, Rejected
from pipeline.core.files.digest import digest_json
from pipeline.encoders import EncoderKind, encoder_of
from pipeline.parts.part import Compute, Outcome, Row
from pipeline.stages.work.extract import Extract

BATCHES = 4
# What a proof may take on a CPU, where it is estimated; a GPU does four batches in a second.
MOST_MS = 2000.0
# Rows that are tried until two are no rejects.
CANDIDATES = 8


@dataclass(frozen=True)
class ProvenExtract(Extract):
    """Encodes nothing before the law is proven for the shape of its batches."""

    def open(self) -> Compute:
        """The encoder, which stops the stage with a PipelineError where it breaks the law."""
        compute = super().open()
        lock, proven = threading.Lock(), set[tuple[Hashable, int]]()

        def lawful(rows: Sequence[Row], values: Sequence[Any]) -> Sequence[Outcome]:
            batches = [self.batch(value) for value in values]
            with lock:
                for batch in set(batches) - proven:
                    places = [place for place, other in enumerate(batches) if other == batch]
                    if self._prove(compute, batch, rows, values, places):
                        proven.add(batch)
            return compute(rows, values)

        return lawful

    def _encoder(self) -> EncoderKind:
        return _kind(self.encoder)

    def _prove(
        self,
        compute: Compute,
        batch: tuple[Hashable, int],
        rows: Sequence[Row],
        values: Sequence[Any],
        places: Sequence[int],
    ) -> bool:
        """Whether it is known now, or need not be; a batch of rejects alone shows nothing."""
        size = batch[1]
        on_gpu = getattr(self.options, "device", "cpu") != "cpu"
        if size == 1 or not (on_gpu or BATCHES * size * self.cost_ms <= MOST_MS):
            return True
        proof = _proofs() / digest_json([self.fingerprint.digest, *batch, platform.node()])
        if proof.exists():
            return True

        def encode(chosen: Sequence[int]) -> Sequence[Outcome]:
            return compute([rows[place] for place in chosen], [values[place] for place in chosen])

        broken = broken_places(encode, places, size)
        if broken is None:
            return False
        if broken:
            raise PipelineError(
                f"{self.stage}: on this processor ({self.fingerprint.processor}) a row's bytes "
                f"depend on its place in the batch or on its neighbours: {len(broken)} of "
                f"{size} places differ, the first at {broken[0]}. Nothing was stored; give the set "
                f"another size of batch (1 is always safe) or precision: float32"
            )
        with suppress(OSError):  # it is then proven again
            proof.parent.mkdir(parents=True, exist_ok=True)
            proof.touch()
        return True


@functools.cache
def _kind(name: str) -> EncoderKind:
    """Kept, since a batch asks for it once a row, and looking for a plug-in lists a folder."""
    return encoder_of(name)


def broken_places(
    encode: Callable[[Sequence[int]], Sequence[Outcome]], rows: Sequence[int], size: int
) -> list[int] | None:
    """Places of a batch of `size` rows at which a row came out otherwise than alone.

    Two of the rows that are no rejects take turns, each at every place with the other beside it.
    None: all of the first rows are rejects.
    """
    alone: dict[int, bytes] = {}
    for row in rows[:CANDIDATES]:
        (outcome,) = encode([row])
        if not isinstance(outcome, Rejected):
            alone[row] = _bytes(outcome)
        if len(alone) == 2:
            break
    if not alone:
        return None
    first, second = next(iter(alone)), list(alone)[-1]
    broken = set[int]()
    for one, other in ((first, second), (second, first)):
        order = [other if place % 2 else one for place in range(size)]
        broken |= {
            place
            for place, (row, outcome) in enumerate(zip(order, encode(order), strict=True))
            if isinstance(outcome, Rejected) or _bytes(outcome) != alone[row]
        }
    return sorted(broken)


def _bytes(outcome: tuple[np.ndarray, int]) -> bytes:
    values, length = outcome
    return values.tobytes() + str(length).encode()


def _proofs() -> Path:
    return platformdirs.user_cache_path("multimodal-pipeline") / "position-law"
