"""A model: a tower a feature set, their fusion, a head a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from pipeline import registry
from pipeline.errors import PipelineError
from pipeline.models.examples import Examples, FeatureSet
from pipeline.models.options import FUSIONS, ModelOptions, kind_of
from pipeline.models.reading import Reading
from pipeline.models.tower import Tower


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
        self.early = options.early
        if self.early:
            fusion = module.Fusion([kind.width for kind in chosen], options.tower, knobs)
        else:
            fusion = module.Fusion(len(sets), options.tower.width, knobs)
        self.absent = None
        if options.absent == "learned":
            self.absent = nn.Parameter(torch.randn(len(sets), options.tower.width) * 0.02)
        self.fuse = fusion.fuse
        self.fusion = fusion.layers
        kinds = {task: kind_of(options.tasks[task]) for task in classes}
        self.heads = nn.ModuleList(kinds[t].layer(fusion.width, n) for t, n in classes.items())
        self.readings = {task: Reading(options.tasks[task].kind) for task in classes}

    def forward(
        self, values: Mapping[str, Tensor], lengths: Mapping[str, Tensor], present: Tensor
    ) -> dict[str, Tensor]:
        """Logits (n, outputs) by task, as many as the head of its kind has.

        values: by set, float32 (n, *shape); lengths: by set, (n,); present: bool (n, sets).
        Whatever stands in an absent set is not looked at.
        """
        tokens = []
        for i, (name, tower) in enumerate(self.by_name.items()):
            array = values[name]
            shown = present[:, i].view(-1, *[1] * (array.ndim - 1))
            tokens.append(tower(array.where(shown, 0.0), lengths[name]))
        fused = self.fuse(*self._fill(tokens, present))
        return {task: head(fused) for task, head in zip(self.tasks, self.heads, strict=True)}

    def _fill(self, tokens: list[Tensor], present: Tensor) -> tuple[Tensor | list[Tensor], Tensor]:
        """What the fusion takes: tokens and presence; learned tokens stand in as present ones."""
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
