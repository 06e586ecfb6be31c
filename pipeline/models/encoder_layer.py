"""A transformer layer as towers and fusions share it, and the bounds of its options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

if TYPE_CHECKING:
    from torch import nn

Layers = Annotated[int, Field(ge=1, le=12, description="transformer layers")]
Heads = Annotated[int, Field(ge=1, le=64, description="attention heads; divides the towers' width")]
Expansion = Annotated[
    int, Field(ge=1, le=8, description="inner layer's width over the tokens' width")
]
Dropout = Annotated[float, Field(ge=0, lt=1, description="share dropped in training")]


def check_heads(width: int, heads: int) -> None:
    """ValueError if tokens of that width are no whole number of heads."""
    if width % heads:
        raise ValueError(f"tower.width {width} is not divisible by the {heads} heads")


def encoder_layer(
    width: int, heads: int, expansion: int, dropout: float
) -> nn.TransformerEncoderLayer:
    """Attention and two layers over tokens, float (n, tokens, width), each normed before.

    Vaswani et al. 2017 (arXiv:1706.03762), with the norms of Xiong et al. 2020 (arXiv:2002.04745).
    """
    from torch import nn

    return nn.TransformerEncoderLayer(
        width,
        heads,
        expansion * width,
        dropout,
        activation="gelu",
        batch_first=True,
        norm_first=True,
    )
