"""A model: a tower a feature set, their fusion, a head a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from pipeline import registry
from pipeline.models.examples import FeatureSet
from pipeline.models.options import FUSIONS, ModelOptions, kind_of
from pipeline.models.reading import Reading
from pipeline.models.towers import Tower


class Network(nn.Module):
    """From features and a presence mask to logits.

    Parameters
    ----------
    sets:
        The feature sets, in the order of the mask's columns.
    classes:
        Task → number of its classes, 0 of a number.

    `readings` say by task how its logits are to be read; training fits them at its end.
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
        fusion = module.Fusion(
            len(sets), options.tower.width, module.Options(**options.fusion_options)
        )
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
        fused = self.fuse(torch.stack(tokens, 1), present)
        return {task: head(fused) for task, head in zip(self.tasks, self.heads, strict=True)}

    def standardise(self, name: str, mean: Tensor, deviation: Tensor) -> None:
        """Tell the tower of a feature set its statistics, (bands,) each."""
        self.by_name[name].standardise(mean, deviation)

    def size(self) -> int:
        """Number of trained parameters."""
        return sum(parameter.numel() for parameter in self.parameters())
