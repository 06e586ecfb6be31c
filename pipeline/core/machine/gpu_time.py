"""Seconds that a GPU has computed for this process, by its own clock (CUDA events).

Whoever launches kernels adds what the events around them measured; waiting, and what a CPU does
meanwhile, is in none of it.
"""

from __future__ import annotations

import threading

_lock = threading.Lock()
_seconds = 0.0


def add(seconds: float) -> None:
    """Count kernels that are done."""
    global _seconds
    with _lock:
        _seconds += seconds


def total() -> float:
    """Seconds since the process began."""
    return _seconds
