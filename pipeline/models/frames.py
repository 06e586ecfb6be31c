"""Sequences of frames: which of them hold something, and what all towers do with those."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn


def frame_mask(count: int, lengths: Tensor) -> Tensor:
    """bool (n, count, 1): whether a frame lies within its row's length, (n,)."""
    import torch

    return (torch.arange(count, device=lengths.device) < lengths[:, None])[..., None]


def frame_mean(frames: Tensor, lengths: Tensor) -> Tensor:
    """(n, frames, bands) to (n, bands), over the frames within the lengths; 0 if there is none."""
    return masked_mean(frames, frame_mask(frames.shape[1], lengths))


def masked_mean(frames: Tensor, counted: Tensor) -> Tensor:
    """(n, frames, bands) to (n, bands), over the frames that count, bool (n, frames, 1), or 0."""
    return frames.where(counted, 0.0).sum(1) / counted.sum(1).clamp(min=1)


def reverse_frames(frames: Tensor, lengths: Tensor) -> Tensor:
    """(n, frames, bands) with those within the lengths in reverse order, the others in place."""
    import torch

    place = torch.arange(frames.shape[1], device=frames.device)[None]
    length = lengths[:, None].to(place.dtype)
    source = torch.where(place < length, length - 1 - place, place)
    return frames.gather(1, source[..., None].expand_as(frames))


def token_head(inputs: int, hidden: int, width: int, dropout: float) -> nn.Sequential:
    """Two layers and a norm: (n, inputs) to a token (n, width)."""
    from torch import nn

    return nn.Sequential(
        nn.Linear(inputs, hidden),
        nn.GELU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, width),
        nn.LayerNorm(width),
    )


def check_frames(shape: tuple[int, ...]) -> None:
    """ValueError if rows of that shape are no sequences."""
    if len(shape) != 2:
        raise ValueError("takes sequences of frames")


def check_vector(shape: tuple[int, ...]) -> None:
    """ValueError if rows of that shape are no vectors."""
    if len(shape) != 1:
        raise ValueError("takes vectors")
