"""The last layers of a BERT over the states of those below, trained on from its weights.

Devlin et al. 2019 (arXiv:1810.04805): fine-tuning, of the layers that most depend on the task. What
stands below is frozen, so its states are features like any others, encoded once: those of the
encoder `transformer` with `pooling: sequence`, `normalise: false` and, as `layer`, the network's
number of layers less `layers`. The token is the mean of the states that come out.

What a layer is beside its weights stands in the network's config.json, and in the options once they
are read. Weights are read where a training begins. What is saved of a model is whole: it needs the
network no more. RoBERTa, XLM-R, MiniLM and E5 are of the same form.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, ValidationError, model_validator

from pipeline.core.errors import PipelineError
from pipeline.encoders import _pretrained
from pipeline.encoders._pretrained import CONFIG, WEIGHTS, Pretrained, read_config
from pipeline.models.encoder_layer import Dropout, Layers
from pipeline.models.frames import check_frames, frame_mask, frame_mean
from pipeline.models.tower_options import TowerOptions

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor, nn

IDS = False
# States come as they are, but divided by this, so that none is cut off as too far from the mean.
STATE_SCALE = 100.0
FILES = (CONFIG, WEIGHTS)
# Options that a network's config.json states.
STATED = ("heads", "expansion", "activation", "layer_norm_eps")
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


class Options(TowerOptions, Pretrained):
    PRETRAINED: ClassVar[bool] = True

    model: str = Field(
        "", description="network to begin as, as the encoder `transformer` has it; empty: at random"
    )
    layers: Layers = 1
    heads: int = Field(12, ge=1, le=64, description="attention heads; divides the states' width")
    expansion: int = Field(4, ge=1, le=8, description="inner layer's width over the states' width")
    activation: Literal["gelu", "relu"] = Field("gelu", description="of the inner layer")
    layer_norm_eps: float = Field(
        1e-12, gt=0, lt=1, description="added to variances, so that none is 0 where it divides"
    )
    dropout: Dropout = 0.1

    @model_validator(mode="before")
    @classmethod
    def _as_the_network(cls, data: Any) -> Any:
        """What is not said is as the network has it; of a saved model all is said."""
        if not isinstance(data, Mapping) or not data.get("model") or data.keys() >= {*STATED}:
            return data
        network = {name: data[name] for name in Pretrained.model_fields if name in data}
        try:
            return {**_stated(Pretrained.model_validate(network)), **data}
        except (PipelineError, ValidationError):  # of the one `weights` speaks, the other comes yet
            return data

    def keyed(self) -> dict[str, Any]:
        return _pretrained.parameters(self)

    def weights(self) -> list[Path]:
        how = "save it with save_pretrained()"
        return _pretrained.weights(self, FILES, how) if self.model else []

    def check_set(self, encoder: str, options: Any) -> None:
        """The set holds the states that its layers took in that network."""
        if not self.model:
            return
        needed: dict[str, Any] = {
            "encoder": "transformer",
            "model": self.model,
            "revision": self.revision,
            "pooling": "sequence",
            "normalise": False,
        }
        set_options = {"encoder": encoder, **options.model_dump()}
        problems = []
        if not _differing(
            {name: needed[name] for name in ("encoder", "model", "revision")}, set_options
        ):
            count = _count(self)
            if count < self.layers:
                raise ValueError(f"network '{self.model}' has {count} layers, not {self.layers}")
            needed["layer"] = count - self.layers
            if wrong := _differing(_stated(self), self.model_dump()):
                problems.append(f"network '{self.model}' has {wrong}: leave it out here")
        if wrong := _differing(needed, set_options):
            problems.append(f"it begins as '{self.model}', so its set needs {wrong}")
        if problems:
            raise ValueError("; ".join(problems))


def _differing(needed: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """What is needed and not given so, as params.yaml would say it."""
    return ", ".join(
        f"{name}: {value if isinstance(value, str) else json.dumps(value)}"
        for name, value in needed.items()
        if given.get(name) != value
    )


def _stated(network: Pretrained) -> dict[str, Any]:
    """Of the options `STATED` what the network's config.json says."""
    config = read_config(_pretrained.locate(network, FILES))
    stated = {
        "heads": config.get("num_attention_heads"),
        "activation": config.get("hidden_act"),
        "layer_norm_eps": config.get("layer_norm_eps"),
    }
    if config.get("hidden_size") and "intermediate_size" in config:
        stated["expansion"] = config["intermediate_size"] // config["hidden_size"]
    return {name: value for name, value in stated.items() if value is not None}


def _count(network: Pretrained) -> int:
    """How many layers the network has; PipelineError if it does not say so."""
    config = read_config(_pretrained.locate(network, FILES))
    if "num_hidden_layers" not in config:
        raise PipelineError(
            f"the config.json of model '{network.model}' states no num_hidden_layers: it is not of "
            f"BERT's form"
        )
    return int(config["num_hidden_layers"])


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
                    activation=options.activation,
                    layer_norm_eps=options.layer_norm_eps,
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

        def load_pretrained(self) -> None:
            """Take the network's weights.

            Raises
            ------
            PipelineError
                The network is not to be had, is another one, or is not of this form or size.
            """
            if not options.model:
                return
            for layer, state in zip(self.layers, last_layers(options), strict=True):
                inner, width = state["linear1.weight"].shape
                if (inner, width) != (options.expansion * hidden, hidden):
                    raise PipelineError(
                        f"network '{options.model}' has width {width} and inner layers of {inner}, "
                        f"the feature set {hidden} and the tower {options.expansion * hidden}"
                    )
                layer.load_state_dict(state)

    return Tower()


def last_layers(options: Options) -> list[dict[str, Tensor]]:
    """The states of torch's layers that are the network's last; PipelineError: see the tower's."""
    import torch
    from safetensors.torch import load_file

    count = _count(options)
    tensors: dict[str, Tensor] = {}
    for path in options.weights():
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
