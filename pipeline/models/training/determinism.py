"""One result from torch: one thread, deterministic kernels, seeded, and all put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from pipeline.core.machine.device import exact_kernels
from pipeline.core.randomness import entropy


@contextmanager
def deterministic(seed: int, purpose: str, device: torch.device | None = None) -> Iterator[None]:
    """Inside, torch's numbers depend on (seed, purpose) alone; afterwards all is as before.

    Initial weights and dropout draw from torch's own generators, which take no argument.
    """
    threads = torch.get_num_threads()
    strict = torch.are_deterministic_algorithms_enabled()
    on_gpu = device is not None and device.type == "cuda"
    with torch.random.fork_rng([device] if on_gpu else []), exact_kernels():
        torch.manual_seed(entropy(seed, purpose) % 2**63)
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(strict)
            torch.set_num_threads(threads)
