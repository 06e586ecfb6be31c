"""A tower as a module: one feature set in, one token of fixed width out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from pipeline.core.errors import PipelineError
from pipeline.models.frames import frame_mask
from pipeline.models.positions import TIME_SCALE
from pipeline.models.sequences import TokenSequence
from pipeline.models.statistics import feature_moments, id_counts
from pipeline.models.tower_options import TowerOptions, check_shape, tower_of

if TYPE_CHECKING:
    from pipeline.models.examples import Examples

# Standardised features are cut off here: one that hardly varies in training may come out huge.
LARGEST = 10.0


class Tower(nn.Module):
    """Blank what lies beyond a row's length, standardise, then read as the kind does.

    `forward` takes values (n, *shape) float32 and lengths (n,) int and gives (n, width). `places`
    is how many tokens `sequence` gives of the longest row.

    Raises
    ------
    ValueError
        The kind does not take rows of that shape.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, shape: Sequence[int], options: TowerOptions) -> None:
        super().__init__()
        check_shape(shape, options)
        self.ids = tower_of(options.kind).IDS
        if not self.ids:
            self.register_buffer("mean", torch.zeros(shape[-1]))
            self.register_buffer("scale", torch.ones(shape[-1]))
        self.kind: Any = options.build(tuple(shape))
        self.times = options.times
        self.step = getattr(self.kind, "step", 0) if len(shape) == 2 else 0
        self.places = -(-shape[0] // self.step) if self.step else 1

    def fit(self, train: Examples, name: str) -> None:
        """Learn what its set looks like, by statistics or words, and begin as others left it.

        Raises
        ------
        PipelineError
            What it begins as is not to be had, or does not fit.
        """
        if self.ids:
            self.kind.fit(*map(torch.from_numpy, id_counts(train, name)))
        else:
            self.standardise(*map(torch.from_numpy, feature_moments(train, name)))
        if hasattr(self.kind, "load_pretrained"):
            try:
                self.kind.load_pretrained()
            except PipelineError as error:
                raise PipelineError(f"tower of '{name}': {error}") from None

    def standardise(self, mean: Tensor, deviation: Tensor) -> None:
        """Set the statistics, (bands,) each; a feature that never varies is only centred."""
        if hasattr(self.kind, "pool"):
            mean, deviation = self.kind.pool(mean, deviation)
        if self.times:
            # They are not standardised by what occurs: a second is the same in every model.
            mean, deviation = mean.clone(), deviation.clone()
            mean[-1], deviation[-1] = 0.0, TIME_SCALE
        self.mean.copy_(mean)
        self.scale.copy_(torch.where(deviation > 1e-6, 1 / deviation, 1.0))

    def forward(self, values: Tensor, lengths: Tensor) -> Tensor:
        token: Tensor = self.kind(self.standardised(values, lengths), lengths)
        return token

    def sequence(self, values: Tensor, lengths: Tensor) -> TokenSequence:
        """A token for each frame, or for as many as the kind makes one of; or its one token."""
        if not self.step:
            token = self(values, lengths)[:, None]
            counted = torch.ones_like(token[..., 0], dtype=torch.bool)
            return TokenSequence(token, counted, token.new_zeros(()).expand(token.shape[:2]))
        read = self.standardised(values, lengths)
        tokens = self.kind.frames(read, lengths)
        within = frame_mask(tokens.shape[1], (lengths + self.step - 1) // self.step)[..., 0]
        if self.times:
            return TokenSequence(tokens, within, read[:, :: self.step, -1] * TIME_SCALE)
        places = torch.arange(tokens.shape[1], device=values.device) * self.step
        return TokenSequence(tokens, within, places.to(values.dtype).expand(within.shape))

    def standardised(self, values: Tensor, lengths: Tensor) -> Tensor:
        """What the kind reads: (n, *shape), 0 beyond a row's length; ids stay as they are."""
        if not self.ids:
            # Cut first, since a huge value less a mean of the other sign is no number.
            largest = torch.finfo(values.dtype).max / 2
            values = (values.clamp(-largest, largest) - self.mean) * self.scale
            values = values.clamp(-LARGEST, LARGEST)
        if values.ndim == 3:
            values = values.where(frame_mask(values.shape[1], lengths), 0.0)
        return values
