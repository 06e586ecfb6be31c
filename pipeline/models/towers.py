"""Towers: one feature set in, one token of fixed width out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pipeline.models.options import TowerOptions

# Standardised features are cut off here: one that hardly varies in training may come out huge.
LARGEST = 10.0


class Tower(nn.Module):
    """Standardise, read frames if there are any, then two layers.

    `forward` takes values (n, *shape) float32 and lengths (n,) int and gives (n, width).
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, shape: Sequence[int], options: TowerOptions) -> None:
        super().__init__()
        bands = shape[-1]
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("scale", torch.ones(bands))
        self.reader = _reader(bands, options) if len(shape) == 2 else None
        self.layers = nn.Sequential(
            nn.Linear(bands if self.reader is None else options.hidden, options.hidden),
            nn.GELU(),
            nn.Dropout(options.dropout),
            nn.Linear(options.hidden, options.width),
            nn.LayerNorm(options.width),
        )

    def standardise(self, mean: Tensor, deviation: Tensor) -> None:
        """Set the statistics, (bands,) each; a feature that never varies is only centred."""
        self.mean.copy_(mean)
        self.scale.copy_(torch.where(deviation > 1e-6, 1 / deviation, 1.0))

    def forward(self, values: Tensor, lengths: Tensor) -> Tensor:
        standard = ((values - self.mean) * self.scale).clamp(-LARGEST, LARGEST)
        if self.reader is not None:
            standard = self.reader(standard, lengths)
        token: Tensor = self.layers(standard)
        return token


class Convolution(nn.Module):
    """Two strided convolutions over time; the mean and the maximum of what they find."""

    def __init__(self, bands: int, hidden: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(bands, hidden, kernel_size=5, stride=2, padding=2)
        self.second = nn.Conv1d(hidden, hidden, kernel_size=5, stride=2, padding=2)
        self.join = nn.Linear(2 * hidden, hidden)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        found = (frames * _valid(frames, lengths)).transpose(1, 2)
        for layer in (self.first, self.second):
            lengths = (lengths + 1) // 2
            found = nn.functional.gelu(layer(found))
            valid = _valid(found.transpose(1, 2), lengths).transpose(1, 2)
            found = found * valid
        mean = found.sum(2) / valid.sum(2).clamp(min=1)
        peak = found.masked_fill(~valid, -1e9).amax(2)
        peak = peak.where(lengths[:, None] > 0, 0.0)
        joined: Tensor = self.join(torch.cat([mean, peak], 1))
        return joined


class Recurrent(nn.Module):
    """A gated recurrent unit in both directions; the mean of its states."""

    def __init__(self, bands: int, hidden: int) -> None:
        super().__init__()
        self.unit = nn.GRU(bands, hidden, batch_first=True, bidirectional=True)
        self.join = nn.Linear(2 * hidden, hidden)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(
            frames, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False
        )
        states, _ = nn.utils.rnn.pad_packed_sequence(
            self.unit(packed)[0], batch_first=True, total_length=frames.shape[1]
        )
        valid = _valid(states, lengths)
        joined: Tensor = self.join((states * valid).sum(1) / valid.sum(1).clamp(min=1))
        return joined


def _reader(bands: int, options: TowerOptions) -> nn.Module:
    kind = Convolution if options.sequence == "convolution" else Recurrent
    return kind(bands, options.hidden)


def _valid(frames: Tensor, lengths: Tensor) -> Tensor:
    """bool (n, frames, 1): which frames hold something."""
    return (torch.arange(frames.shape[1], device=frames.device) < lengths[:, None])[..., None]
