"""Sound as it was recorded, and what its header may claim before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import Rejected

SAMPLING_RATES = (1_000, 384_000)


@dataclass(frozen=True)
class Recording:
    """Sound as it was recorded: float32 samples (frames, channels), full scale at 1."""

    samples: npt.NDArray[np.float32]
    sampling_rate: int
    # Whether it was kept as floating-point numbers, which full scale does not bound.
    is_float: bool


def check(rate: int, channels: int, frames: float, max_seconds: float, max_channels: int) -> None:
    """Refuse a header's claims before anything is allocated for them."""
    slowest, fastest = SAMPLING_RATES
    if not slowest <= rate <= fastest:
        raise Rejected(
            "bad_sampling_rate", f"{rate} samples a second; accepted are {slowest} to {fastest}"
        )
    if channels > max_channels:
        raise Rejected(
            "too_many_channels", f"{channels} channels; accepted are at most {max_channels}"
        )
    if frames > max_seconds * rate:
        raise too_long(frames / rate, max_seconds)


def too_long(seconds: float, most: float) -> Rejected:
    return Rejected("too_long", f"{seconds:.1f} s; accepted are at most {most:g} s")
