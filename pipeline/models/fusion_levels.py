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
    """The fusion makes one row of all tokens, which one head per task reads; None without tasks.

    A head of a `Generative` task reads the fusion's tokens instead, if it has such, and the row as
    the only token if not. `sequences` says of each head whether it is one.
    """

    def __init__(self, fusion: Any, heads: Sequence[nn.Module], sequences: Sequence[bool]) -> None:
        super().__init__()
        self.fusion, self.heads = fusion, nn.ModuleList(heads)
        self.sequences = list(sequences)

    def forward(
        self,
        tokens: Any,
        present: Tensor,
        targets: Sequence[Tensor | None] | None = None,
        teach: bool = False,
        texts: Sequence[Tensor | None] | None = None,
    ) -> list[Tensor]:
        """What heads of sequences get too: `targets`, whether they are taught, `texts`, by task."""
        if self.fusion is None:
            return []
        row = None if all(self.sequences) and self._has_tokens else self.fusion(tokens, present)
        memory = self._memory(tokens, present, row) if any(self.sequences) else ()
        return [
            head(*memory, targets and targets[i], teach, texts and texts[i])
            if sequence
            else head(row)
            for i, (head, sequence) in enumerate(zip(self.heads, self.sequences, strict=True))
        ]

    def training_outputs(
        self,
        tokens: Any,
        present: Tensor,
        targets: Sequence[Tensor | None] | None = None,
        texts: Sequence[Tensor | None] | None = None,
    ) -> list[list[Tensor]]:
        return [self(tokens, present, targets, True, texts)]

    def set_weights(self, tokens: Any, present: Tensor) -> list[Tensor] | None:
        """How much each set counts, (n, sets), the same for all tasks."""
        if not hasattr(self.fusion, "set_weights"):
            return None
        return [self.fusion.set_weights(tokens, present)] * len(self.heads)

    @property
    def _has_tokens(self) -> bool:
        return hasattr(self.fusion, "fused_tokens")

    def _memory(self, tokens: Any, present: Tensor, row: Tensor | None) -> tuple[Tensor, Tensor]:
        """The tokens that are read, (n, tokens, width), and which are absent, bool (n, tokens)."""
        if row is None or self._has_tokens:
            fused: tuple[Tensor, Tensor] = self.fusion.fused_tokens(tokens, present)
            return fused
        return row[:, None], torch.zeros_like(row[:, :1], dtype=torch.bool)


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

    def forward(
        self,
        tokens: Tensor,
        present: Tensor,
        targets: Sequence[Tensor | None] | None = None,
        teach: bool = False,
        texts: Sequence[Tensor | None] | None = None,
    ) -> list[Tensor]:
        return self._fuse(self._logits(tokens), present)

    def training_outputs(
        self,
        tokens: Tensor,
        present: Tensor,
        targets: Sequence[Tensor | None] | None = None,
        texts: Sequence[Tensor | None] | None = None,
    ) -> list[list[Tensor]]:
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
