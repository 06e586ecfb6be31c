"""A model: a tower a feature set, their fusion, a head a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from pipeline import registry
from pipeline.models.examples import FeatureSet
from pipeline.models.options import FUSIONS, ModelOptions
from pipeline.models.towers import Tower


class EachSet(nn.ModuleList):
    """A head a feature set: tokens (n, sets, width) to logits (n, sets, classes)."""

    def __init__(self, sets: int, width: int, classes: int) -> None:
        super().__init__(nn.Linear(width, classes) for _ in range(sets))

    def forward(self, tokens: Tensor) -> Tensor:
        return torch.stack([head(tokens[:, i]) for i, head in enumerate(self)], 1)


class Network(nn.Module):
    """From features and a presence mask to logits.

    Parameters
    ----------
    sets:
        The feature sets, in the order of the mask's columns.
    classes:
        Task → number of its classes.
    """

    def __init__(
        self, sets: Sequence[FeatureSet], classes: Mapping[str, int], options: ModelOptions
    ) -> None:
        super().__init__()
        self.names = [one.name for one in sets]
        self.tasks = list(classes)
        towers = [Tower(one.shape, options.tower) for one in sets]
        self.by_name = dict(zip(self.names, towers, strict=True))
        self.towers = nn.ModuleList(towers)
        module = registry.load(FUSIONS, options.fusion)
        chosen = module.Options(**options.fusion_options)
        self.decision = None
        self.counted = None
        if hasattr(module, "Decision"):
            self.decision = module.Decision(len(sets), list(classes.values()), chosen)
            self.fusion = self.decision.layers
            self.heads = nn.ModuleList(
                EachSet(len(sets), options.tower.width, n) for n in classes.values()
            )
        else:
            fusion = module.Fusion(len(sets), options.tower.width, chosen)
            self.fuse = fusion.fuse
            self.counted = getattr(fusion, "shares", None)
            self.fusion = fusion.layers
            self.heads = nn.ModuleList(nn.Linear(fusion.width, n) for n in classes.values())

    def forward(
        self, values: Mapping[str, Tensor], lengths: Mapping[str, Tensor], present: Tensor
    ) -> dict[str, Tensor]:
        """Logits (n, classes) by task.

        values: by set, float32 (n, *shape); lengths: by set, (n,); present: bool (n, sets).
        Whatever stands in an absent set is not looked at.
        """
        tokens = self.tokens(values, lengths, present)
        if self.decision is None:
            fused = self.fuse(tokens, present)
            return {task: head(fused) for task, head in zip(self.tasks, self.heads, strict=True)}
        return {
            task: self.decision.decide(i, head(tokens), present)
            for i, (task, head) in enumerate(zip(self.tasks, self.heads, strict=True))
        }

    def lessons(
        self, values: Mapping[str, Tensor], lengths: Mapping[str, Tensor], present: Tensor
    ) -> list[dict[str, Tensor]]:
        """What training compares with the targets: logits (n, classes) by task, once or often.

        Where the fusion is of decisions, each set has to answer by itself, and what joins the
        answers, if it learns, has to do so by the answers as they are. An absent set's logits are
        zeros, so that it learns nothing.
        """
        if self.decision is None:
            return [self(values, lengths, present)]
        tokens = self.tokens(values, lengths, present)
        said = {task: head(tokens) for task, head in zip(self.tasks, self.heads, strict=True)}
        found = [
            {task: each[:, i].where(present[:, i : i + 1], 0.0) for task, each in said.items()}
            for i in range(len(self.names))
        ]
        if any(True for _ in self.fusion.parameters()):
            joined = {
                task: self.decision.decide(i, each.detach(), present)
                for i, (task, each) in enumerate(said.items())
            }
            found.append(joined)
        return found

    def shares(
        self, values: Mapping[str, Tensor], lengths: Mapping[str, Tensor], present: Tensor
    ) -> dict[str, Tensor]:
        """By task, how much each set counts, (n, sets), where the fusion has such weights."""
        if self.counted is not None:
            each = self.counted(self.tokens(values, lengths, present), present)
            return dict.fromkeys(self.tasks, each)
        if self.decision is not None and hasattr(self.decision, "weights"):
            return {t: self.decision.weights(i, present) for i, t in enumerate(self.tasks)}
        return {}

    def tokens(
        self, values: Mapping[str, Tensor], lengths: Mapping[str, Tensor], present: Tensor
    ) -> Tensor:
        """What the towers say, (n, sets, width)."""
        tokens = []
        for i, (name, tower) in enumerate(self.by_name.items()):
            array = values[name]
            shown = present[:, i].view(-1, *[1] * (array.ndim - 1))
            tokens.append(tower(array.where(shown, 0.0), lengths[name]))
        return torch.stack(tokens, 1)

    def standardise(self, name: str, mean: Tensor, deviation: Tensor) -> None:
        """Tell the tower of a feature set its statistics, (bands,) each."""
        self.by_name[name].standardise(mean, deviation)

    def size(self) -> int:
        """Number of trained parameters."""
        return sum(parameter.numel() for parameter in self.parameters())
