"""The last layers of a BERT over the states of those below, trained on from its weights.

Devlin et al. 2019 (arXiv:1810.04805): fine-tuning, of the layers that most depend on the task. What
stands below is frozen, so its states are features like any others, encoded once: those of the
encoder `transformer` with `pooling: sequence`, `normalise: false` and, as `layer`, the network's
number of layers less `layers`. The token is the mean of the states that come out.

Weights are read where a training begins, and of the network's files alone. What is saved of a model
is whole: it needs them no more. RoBERTa, XLM-R, MiniLM and E5 are of the same form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from pipeline.models.encoder_layer import Dropout, Layers
from pipeline.models.frames import check_frames, frame_mask, frame_mean
from pipeline.models.tower_options import TowerOptions

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor, nn

IDS = False
# States come as they are, but divided by this, so that none is cut off as too far from the mean.
STATE_SCALE = 100.0
LAYER = "encoder.layer."
# How parameters of torch's layer begin, and the modules of BERT's that they are of.
MODULES = {
    "self_attn.in_proj_": ("attention.self.query", "attention.self.key", "attention.self.value"),
    "self_attn.out_proj.": ("attention.output.dense",),
    "norm1.": ("attention.output.LayerNorm",),
    "linear1.": ("intermediate.dense",),
    "linear2.": ("output.dense",),
    "norm2.": ("output.LayerNorm",),
}


class Options(TowerOptions):
    model: str = Field(
        "", description="network to begin as, as the encoder `transformer` has it; empty: at random"
    )
    revision: str = Field("main", description="branch, tag or commit, for a model from the hub")
    sha256: str = Field("", description="digest of its first file of weights")
    layers: Layers = 1
    heads: int = Field(12, ge=1, le=64, description="attention heads; divides the states' width")
    expansion: int = Field(4, ge=1, le=8, description="inner layer's width over the states' width")
    dropout: Dropout = 0.1

    @model_validator(mode="after")
    def _pinned(self) -> Self:
        """A model's key holds what it begins as."""
        if self.model and not self.sha256:
            raise ValueError("sha256: give the digest of the weights that it begins as")
        return self


def check(shape: tuple[int, ...], options: Options) -> None:
    check_frames(shape)
    if shape[1] % options.heads:
        raise ValueError(f"takes states whose width its {options.heads} heads divide")


def build(shape: tuple[int, ...], options: Options) -> nn.Module:
    from torch import nn

    hidden = shape[1]

    class Tower(nn.Module):
        step = 1

        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(
                nn.TransformerEncoderLayer(
                    hidden,
                    options.heads,
                    options.expansion * hidden,
                    options.dropout,
                    activation="gelu",
                    layer_norm_eps=1e-12,
                    batch_first=True,
                )
                for _ in range(options.layers)
            )
            self.leave = nn.Linear(hidden, options.width)

        def forward(
            self, values: Float[Tensor, "n frames bands"], lengths: Int[Tensor, " n"]
        ) -> Float[Tensor, "n width"]:
            token: Tensor = self.leave(frame_mean(self._states(values, lengths), lengths))
            return token

        def frames(
            self, values: Float[Tensor, "n frames bands"], lengths: Int[Tensor, " n"]
        ) -> Float[Tensor, "n frames width"]:
            tokens: Tensor = self.leave(self._states(values, lengths))
            return tokens

        def _states(self, values: Tensor, lengths: Tensor) -> Tensor:
            # Attention over nothing is no number; a row without frames looks at a zero.
            padding = ~frame_mask(values.shape[1], lengths.clamp(min=1))[..., 0]
            states = values * STATE_SCALE
            for layer in self.layers:
                states = layer(states, src_key_padding_mask=padding)
            return states

        def pool(
            self, mean: Float[Tensor, " bands"], deviation: Float[Tensor, " bands"]
        ) -> tuple[Float[Tensor, " bands"], Float[Tensor, " bands"]]:
            return mean.new_zeros(mean.shape), mean.new_full(mean.shape, STATE_SCALE)

        def begin(self) -> None:
            """Take the network's weights.

            Raises
            ------
            PipelineError
                The network is not to be had, is another one, or is not of this form.
            """
            if options.model:
                for layer, state in zip(self.layers, last_layers(options), strict=True):
                    layer.load_state_dict(state)

    return Tower()


def last_layers(options: Options) -> list[dict[str, Tensor]]:
    """The states of torch's layers that are the network's last ones; PipelineError as `begin`."""
    import torch
    from safetensors.torch import load_file

    from pipeline.core.errors import PipelineError
    from pipeline.encoders import transformer

    network = transformer.Options.model_validate(
        {name: getattr(options, name) for name in ("model", "revision", "sha256")}
    )
    count = transformer.layers(network)
    tensors: dict[str, Tensor] = {}
    for path in transformer.weights(network):
        if path.suffix == ".safetensors":
            # A model with a head calls the same tensors `bert.encoder.layer…`.
            tensors |= {name.partition(LAYER)[2]: each for name, each in load_file(path).items()}

    def state(number: int) -> dict[str, Tensor]:
        return {
            f"{begin}{part}": torch.cat([tensors[f"{number}.{each}.{part}"] for each in modules])
            for begin, modules in MODULES.items()
            for part in ("weight", "bias")
        }

    try:
        return [state(number) for number in range(count - options.layers, count)]
    except KeyError as error:
        raise PipelineError(
            f"model '{options.model}' has no last {options.layers} layers of BERT's form: {error}"
        ) from None
