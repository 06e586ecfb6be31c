"""The two levels at which feature sets are joined: before the heads, or after them.

Both take the towers' tokens and the presence mask, as `Network.tokens` gives them, and give a list
with the logits (n, outputs) of each task.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class FeatureLevel(nn.Module):
    """The fusion makes one row of all tokens, which one head per task reads; None without tasks."""

    def __init__(self, fusion: Any, heads: Sequence[nn.Module]) -> None:
        super().__init__()
        self.fusion, self.heads = fusion, nn.ModuleList(heads)

    def forward(self, tokens: Any, present: Tensor) -> list[Tensor]:
        if self.fusion is None:
            return []
        row = self.fusion(tokens, present)
        return [head(row) for head in self.heads]

    def training_outputs(self, tokens: Any, present: Tensor) -> list[list[Tensor]]:
        return [self(tokens, present)]

    def set_weights(self, tokens: Any, present: Tensor) -> list[Tensor] | None:
        """How much each set counts, (n, sets), the same for all tasks."""
        if not hasattr(self.fusion, "set_weights"):
            return None
        return [self.fusion.set_weights(tokens, present)] * len(self.heads)


class HeadPerSet(nn.ModuleList):
    """One head per feature set: tokens (n, sets, width) to logits (n, sets, outputs)."""

    def __init__(self, sets: int, width: int, outputs: int) -> None:
        super().__init__(nn.Linear(width, outputs) for _ in range(sets))

    def forward(self, tokens: Tensor) -> Tensor:
        return torch.stack([head(tokens[:, i]) for i, head in enumerate(self)], 1)


class DecisionLevel(nn.Module):
    """Each set has one head per task of its own, and the fusion makes one answer of theirs."""

    def __init__(self, fusion: Any, sets: int, width: int, outputs: Sequence[int]) -> None:
        super().__init__()
        self.fusion = fusion
        self.heads = nn.ModuleList(HeadPerSet(sets, width, n) for n in outputs)

    def forward(self, tokens: Tensor, present: Tensor) -> list[Tensor]:
        return self._fuse(self._logits(tokens), present)

    def training_outputs(self, tokens: Tensor, present: Tensor) -> list[list[Tensor]]:
        """Each set's answers by themselves, then, if what joins them learns, the joint ones.

        The joint ones leave the heads alone: what joins has to do so by the answers as they are. An
        absent set's logits are zeros, so that it learns nothing.
        """
        logits = self._logits(tokens)
        outputs = [
            [each[:, i].where(present[:, i : i + 1], 0.0) for each in logits]
            for i in range(present.shape[1])
        ]
        if any(True for _ in self.fusion.parameters()):
            outputs.append(self._fuse([each.detach() for each in logits], present))
        return outputs

    def set_weights(self, tokens: Tensor, present: Tensor) -> list[Tensor] | None:
        """How much each set counts, (n, sets), by task."""
        if not hasattr(self.fusion, "set_weights"):
            return None
        return [self.fusion.set_weights(task, present) for task in range(len(self.heads))]

    def _logits(self, tokens: Tensor) -> list[Tensor]:
        return [head(tokens) for head in self.heads]

    def _fuse(self, logits: Sequence[Tensor], present: Tensor) -> list[Tensor]:
        return [self.fusion(task, each, present) for task, each in enumerate(logits)]
