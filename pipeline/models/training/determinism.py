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
    mode = torch.get_deterministic_debug_mode()
    on_gpu = device is not None and device.type == "cuda"
    with torch.random.fork_rng([device] if on_gpu else []), exact_kernels():
        torch.manual_seed(entropy(seed, purpose) % 2**63)
        torch.set_num_threads(1)
        # `use_deterministic_algorithms` would set the same, and load all of torch's compiler.
        torch.set_deterministic_debug_mode("error")
        try:
            yield
        finally:
            torch.set_deterministic_debug_mode(mode)
            torch.set_num_threads(threads)
