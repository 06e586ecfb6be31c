"""How busy a card is, as NVML tells it twenty times a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def watched(device: str) -> Iterator[dict[str, float]]:
    """Fills in `seconds`, and `busy`, the mean share of the time with a kernel at work."""
    told: dict[str, float] = {}
    shares: list[float] = []
    over = threading.Event()

    def look() -> None:
        import pynvml

        pynvml.nvmlInit()
        card = pynvml.nvmlDeviceGetHandleByIndex(0)
        while not over.wait(0.05):
            shares.append(pynvml.nvmlDeviceGetUtilizationRates(card).gpu / 100)

    thread = threading.Thread(target=look) if device == "cuda" else None
    if thread:
        thread.start()
    began = time.perf_counter()
    try:
        yield told
    finally:
        told["seconds"] = time.perf_counter() - began
        over.set()
        if thread:
            thread.join()
            told["busy"] = sum(shares) / max(len(shares), 1)
