"""One result from torch: one thread, deterministic kernels, its random state seeded and put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from pipeline.randomness import entropy


@contextmanager
def deterministic(
    seed: int, purpose: str, device: torch.device = torch.device("cpu")
) -> Iterator[None]:
    """Inside, torch's numbers depend on (seed, purpose) alone; afterwards all is as before.

    Initial weights and dropout draw from torch's own generators, which know no argument.
    """
    threads = torch.get_num_threads()
    strict = torch.are_deterministic_algorithms_enabled()
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(entropy(seed, purpose) & 0x7FFF_FFFF_FFFF_FFFF)
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(strict)
            torch.set_num_threads(threads)
