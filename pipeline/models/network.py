"""A model: a tower a feature set, their fusion, a head a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pipeline import registry
from pipeline.errors import PipelineError
from pipeline.models.examples import Examples, FeatureSet
from pipeline.models.options import FUSIONS, ModelOptions, kind_of
from pipeline.models.reading import Reading
from pipeline.models.tower import Tower


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
        Task → number of its classes, 0 of a number.

    `readings` say by task how its logits are to be read; training fits them at its end.

    Raises
    ------
    PipelineError
        A tower cannot read rows of its set's shape: the message names those that can.
    """

    def __init__(
        self, sets: Sequence[FeatureSet], classes: Mapping[str, int], options: ModelOptions
    ) -> None:
        super().__init__()
        self.names = [one.name for one in sets]
        self.tasks = list(classes)
        wrong = options.check_shapes({one.name: one.shape for one in sets})
        if wrong:
            listed = "; ".join(f"{name}: {said}" for name, said in wrong.items())
            raise PipelineError(f"a tower cannot read its feature set: {listed}")
        chosen = [options.tower_of(one.name, one.shape) for one in sets]
        towers = [Tower(one.shape, kind) for one, kind in zip(sets, chosen, strict=True)]
        self.by_name = dict(zip(self.names, towers, strict=True))
        self.towers = nn.ModuleList(towers)
        module = registry.load(FUSIONS, options.fusion)
        knobs = module.Options(**options.fusion_options)
        width = options.tower.width
        self.early = options.early
        self.absent = None
        if options.absent == "learned":
            self.absent = nn.Parameter(torch.randn(len(sets), width) * 0.02)
        kinds = {task: kind_of(options.tasks[task]) for task in classes}
        self.readings = {task: Reading(options.tasks[task].kind) for task in classes}
        self.decision = self.counted = None
        if options.decides:
            self.decision = module.Decision(len(sets), list(classes.values()), knobs)
            self.fusion = self.decision.layers
            self.heads = nn.ModuleList(EachSet(len(sets), width, n) for n in classes.values())
            return
        widths = [kind.width for kind in chosen]
        fusion = (
            module.Fusion(widths, options.tower, knobs)
            if self.early
            else module.Fusion(len(sets), width, knobs)
        )
        self.fuse = fusion.fuse
        self.counted = getattr(fusion, "shares", None)
        self.fusion = fusion.layers
        self.heads = nn.ModuleList(kinds[t].layer(fusion.width, n) for t, n in classes.items())

    def forward(
        self, values: Mapping[str, Tensor], lengths: Mapping[str, Tensor], present: Tensor
    ) -> dict[str, Tensor]:
        """Logits (n, outputs) by task, as many as the head of its kind has.

        values: by set, float32 (n, *shape); lengths: by set, (n,); present: bool (n, sets).
        Whatever stands in an absent set is not looked at.
        """
        tokens, shown = self.tokens(values, lengths, present)
        if self.decision is None:
            fused = self.fuse(tokens, shown)
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
        tokens, _ = self.tokens(values, lengths, present)
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
            each = self.counted(*self.tokens(values, lengths, present))
            return dict.fromkeys(self.tasks, each)
        if self.decision is not None and hasattr(self.decision, "weights"):
            return {t: self.decision.weights(i, present) for i, t in enumerate(self.tasks)}
        return {}

    def tokens(
        self, values: Mapping[str, Tensor], lengths: Mapping[str, Tensor], present: Tensor
    ) -> tuple[Any, Tensor]:
        """What the fusion takes: tokens (n, sets, width), and which of them count, (n, sets).

        Learned tokens stand in for absent sets and count; to `early` goes a list, as sets differ in
        width.
        """
        tokens = []
        for i, (name, tower) in enumerate(self.by_name.items()):
            array = values[name]
            shown = present[:, i].view(-1, *[1] * (array.ndim - 1))
            tokens.append(tower(array.where(shown, 0.0), lengths[name]))
        if self.early:
            return tokens, present
        stacked = torch.stack(tokens, 1)
        if self.absent is None:
            return stacked, present
        return stacked.where(present[..., None], self.absent), torch.ones_like(present)

    def fit(self, train: Examples) -> None:
        """Tell each tower what its feature set looks like in training."""
        for name, tower in self.by_name.items():
            tower.fit(train, name)

    def size(self) -> int:
        """Number of trained parameters."""
        return sum(parameter.numel() for parameter in self.parameters())
