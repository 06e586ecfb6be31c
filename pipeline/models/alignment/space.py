"""The space that modalities share: a vector for each, and the losses that draw them together.

Samples of one component show nearly the same, so none is ever counted as another's negative: a
picture would else be pushed away from its own name in another language, or from that of its twin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.models.alignment.options import AlignmentOptions
from pipeline.models.fusion_levels import HeadPerSet

# The logarithm of the factor of cosines is cut off here, as in CLIP (Radford et al. 2021).
LARGEST_SCALE = math.log(100)
# What a pair's logit begins with, since nearly all are no partners (Zhai et al. 2023).
FIRST_BIAS = -10.0


class Space(nn.Module):
    """From the towers' tokens to one vector of length 1 for each modality.

    Parameters
    ----------
    owner:
        Of each feature set the place of its modality, (sets,).
    width:
        Of the tokens.
    bands:
        Of each feature set the numbers that can be told from the other modalities; 0: none, as of
        ids of words.
    """

    membership: Tensor

    def __init__(
        self, owner: Sequence[int], width: int, bands: Sequence[int], options: AlignmentOptions
    ) -> None:
        super().__init__()
        self.options, self.bands = options, list(bands)
        self.heads = HeadPerSet(len(owner), width, options.dimension)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(options.temperature)))
        self.bias = nn.Parameter(torch.tensor(FIRST_BIAS)) if options.loss == "sigmoid" else None
        membership = functional.one_hot(torch.tensor(owner)).T.float()
        self.register_buffer("membership", membership, persistent=False)
        self.decoders = nn.ModuleList(
            nn.Sequential(
                nn.Linear(options.dimension, width), nn.GELU(), nn.Linear(width, max(count, 1))
            )
            for count in (bands if options.reconstruction else ())
        )

    def forward(self, tokens: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors (n, modalities, dimension), and which are there, bool (n, modalities).

        tokens: (n, sets, width); present: bool (n, sets). Sets of one modality share its vector:
        the mean of what each that is there says, scaled to length 1; zeros if none is.
        """
        counted = present[:, None].to(tokens.dtype) * self.membership
        count = counted.sum(2, keepdim=True)
        mean = counted @ self.heads(tokens).where(present[..., None], 0.0) / count.clamp(min=1)
        return functional.normalize(mean, dim=2), count[..., 0] > 0

    def vector(self, tokens: Sequence[Tensor], places: Sequence[int]) -> Tensor:
        """The vector (n, dimension) of one modality whose sets, at these places, are all there."""
        said = [self.heads[place](each) for place, each in zip(places, tokens, strict=True)]
        return functional.normalize(torch.stack(said).mean(0), dim=1)

    def loss(self, vectors: Tensor, has: Tensor, component: Tensor) -> Tensor:
        """The mean over every vector and every modality in which it has a partner.

        vectors, has: as `forward` gives them; component: int64 (n,). 0 where nothing has a partner.
        """
        vectors = vectors.float()
        apart = component[:, None] != component
        apart.fill_diagonal_(True)  # the partner itself stands there
        contrast = self._infonce if self.bias is None else self._sigmoid
        total, count = vectors.sum() * 0, 0
        for first, second in combinations(range(has.shape[1]), 2):
            paired = has[:, first] & has[:, second]
            pairs = int(paired.sum())
            if pairs:
                logits = self._logits(vectors[:, first], vectors[:, second])
                allowed = apart & has[:, first, None] & has[:, second]
                total = total + contrast(logits, allowed, paired)
                count += 2 * pairs
        return total / max(count, 1)

    def reconstruction(self, vectors: Tensor, has: Tensor, values: Sequence[Tensor]) -> Tensor:
        """How far each set is from what the other modalities' vectors tell of it: Huber's, δ = 1.

        values: by set, standardised, (n, bands); looked at where its modality is there and another
        is. The mean over sets that can be told; 0 where none can.
        """
        losses = []
        for place, (decoder, target) in enumerate(zip(self.decoders, values, strict=True)):
            modality = int(self.membership[:, place].argmax())
            others = has.clone()
            others[:, modality] = False
            rows = has[:, modality] & others.any(1)
            if self.bands[place] and rows.any():
                known = others[rows, :, None] * vectors[rows]
                restored = decoder(known.sum(1) / others[rows].sum(1, keepdim=True))
                losses.append(functional.huber_loss(restored, target[rows]))
        return torch.stack(losses).mean() if losses else vectors.sum() * 0

    @property
    def scale(self) -> Tensor:
        """What cosines are multiplied by: one over the learned temperature."""
        return self.log_scale.clamp(max=LARGEST_SCALE).exp()

    def _logits(self, queries: Tensor, answers: Tensor) -> Tensor:
        logits = queries @ answers.T * self.scale
        return logits if self.bias is None else logits + self.bias

    def _infonce(self, logits: Tensor, allowed: Tensor, paired: Tensor) -> Tensor:
        """Cross entropy of each partner among all that may be, in both directions, summed.

        van den Oord et al. 2018 (arXiv:1807.03748), symmetric as in CLIP (arXiv:2103.00020).
        """
        logits = logits.masked_fill(~allowed, -math.inf)
        partner = torch.arange(len(logits), device=logits.device)[paired]
        return sum(
            (
                functional.cross_entropy(each[paired], partner, reduction="sum")
                for each in (logits, logits.T)
            ),
            start=logits.new_zeros(()),
        )

    def _sigmoid(self, logits: Tensor, allowed: Tensor, paired: Tensor) -> Tensor:
        """Whether each pair belongs together, summed twice, as both directions are one here.

        SigLIP: Zhai et al. 2023 (arXiv:2303.15343).
        """
        partners = torch.diag(paired)
        each = functional.softplus(torch.where(partners, -logits, logits))
        return 2 * each[allowed].sum()
