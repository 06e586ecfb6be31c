"""Random generators as arguments: a stream is a pure function of what it is for."""

from __future__ import annotations

import hashlib

import numpy as np


def entropy(seed: int, *purpose: str | int) -> int:
    """128 bits from (seed, purpose…), equal on every machine, Python and process."""
    text = "\x1f".join([str(seed), *map(str, purpose)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """A NumPy generator (PCG64) for one purpose, e.g. `generator(seed, "augment", digest, view)`.

    Nothing in this project touches a global random state: two purposes never share a stream, and
    the order in which rows are visited cannot matter.
    """
    return np.random.Generator(np.random.PCG64(entropy(seed, *purpose)))
