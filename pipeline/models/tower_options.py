"""The options of a tower: which kind it is, and that kind's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, SerializeAsAny, ValidationError

from pipeline.core import registry
from pipeline.core.errors import PipelineError
from pipeline.core.options import Options
from pipeline.models.towers import FOLDER, TowerKind

if TYPE_CHECKING:
    from torch import nn


class TowerOptions(Options):
    """What every kind has; a kind adds its own options (see pipeline/models/towers).

    Attributes
    ----------
    PRETRAINED:
        Whether the kind may begin as a network that others trained: its weights are then part of a
        training's key, and feature sets are held to it.
    """

    PRETRAINED: ClassVar[bool] = False

    kind: str = Field(default="mlp", description="file name in pipeline/models/towers")
    width: int = Field(
        default=128, ge=1, le=4096, description="dimensions of the token that comes out"
    )
    times: bool = Field(
        default=False,
        description="whether a frame's last number is its time in seconds, which is its position "
        "for `transformer` and for fusions of sequences",
    )

    @property
    def kinds(self) -> tuple[str, ...]:
        """All the kinds at work: this one, and those that it is made of."""
        return (self.kind,)

    def keyed(self) -> dict[str, Any]:
        """What is keyed: all of it, unless a kind says otherwise."""
        return self.model_dump(mode="json")

    def weights(self) -> list[Path]:
        """Files that it begins as, keyed by their bytes; PipelineError if one is missing."""
        return []

    def check_set(self, encoder: str, options: Any) -> None:
        """See whether a feature set's encoder, by name and options, makes what it begins with.

        Raises
        ------
        ValueError
            It does not.
        PipelineError
            The network that it begins as cannot be read.
        """

    def build(self, shape: tuple[int, ...]) -> nn.Module:
        """The network of the kind for rows of that shape."""
        return tower_of(self.kind).build(shape, self)


def tower_of(kind: str) -> TowerKind:
    """The tower of that kind."""
    return registry.load(FOLDER, kind, TowerKind)


def of_kind(options: Any) -> Any:
    """The options of the kind that is named; ValueError saying what is wrong with them."""
    if not isinstance(options, Mapping):
        return options
    try:
        return tower_of(str(options.get("kind", "mlp"))).Options.model_validate(options)
    except PipelineError as error:
        raise ValueError(str(error)) from None
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ValueError("; ".join(wrong)) from None


TowerOfKind = Annotated[SerializeAsAny[TowerOptions], BeforeValidator(of_kind)]


def check_shape(shape: Sequence[int], options: TowerOptions, ids: bool | None = None) -> None:
    """See whether a tower can read a feature set.

    Parameters
    ----------
    shape:
        (D,) or (frames, bands), as the set has it.
    ids:
        Whether its numbers are ids of words, as those of `tokens` are; None if that is unknown.

    Raises
    ------
    ValueError
        It cannot: the message names the kinds that can.
    """
    wrong = _mistake(shape, options, ids)
    if wrong is None:
        return
    fit = [
        kind
        for kind in registry.names(FOLDER)
        if _mistake(shape, of_kind({"kind": kind, "width": options.width}), ids) is None
    ]
    raise ValueError(
        f"tower '{options.kind}' {wrong}, and the set's shape is {tuple(shape)}; "
        f"what fits: {', '.join(fit)}"
    )


def _mistake(shape: Sequence[int], options: TowerOptions, ids: bool | None) -> str | None:
    module = tower_of(options.kind)
    if ids is not None and ids != module.IDS:
        return "takes ids of words" if module.IDS else "takes quantities, not ids of words"
    if options.times and (module.IDS or len(shape) != 2 or shape[1] < 2):
        return "takes frames of two numbers or more, of which the last is their time"
    try:
        module.check(tuple(shape), options)
    except ValueError as error:
        return str(error)
    return None
