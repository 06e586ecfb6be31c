"""Networks that towers begin as may have moved since a model was trained: where they lie now."""

from __future__ import annotations

from pipeline.encoders._pretrained import Pretrained
from pipeline.models.options import ModelOptions
from pipeline.models.tower_options import TowerOptions


def located_as(options: ModelOptions, other: ModelOptions) -> ModelOptions:
    """The same, with the networks that towers begin as where the other says that they lie."""
    theirs = other.tower_by_set
    towers = {
        name: _located_as(tower, theirs.get(name, tower)) for name, tower in options.towers.items()
    }
    return options.model_copy(
        update={"tower": _located_as(options.tower, other.tower), "towers": towers}
    )


def _located_as(tower: TowerOptions, other: TowerOptions) -> TowerOptions:
    if not (isinstance(tower, Pretrained) and isinstance(other, Pretrained)):
        return tower
    if not (tower.model and other.model):  # one begins at random
        return tower
    return tower.model_copy(update={name: getattr(other, name) for name in Pretrained.model_fields})
