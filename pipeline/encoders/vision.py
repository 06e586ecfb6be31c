"""Any picture encoder in the Hugging Face format: ResNet, ViT, CLIP, SigLIP, DINOv2 and their kin.

Of a network of pictures and texts the pictures' half is run. The folder holds config.json,
preprocessor_config.json (its size, mean and deviation are taken) and weights as safetensors; no
code from it is run. The licence of the weights is the model's own.

A picture is fitted whole into the network's square, on white, as for `efficientnet_lite0`, where
the models' own evaluation crops; pixels become numbers on the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from pipeline.core.errors import PipelineError
from pipeline.encoders import _pretrained
from pipeline.encoders._pretrained import (
    CONFIG,
    WEIGHTS,
    OnCard,
    Pooling,
    Pretrained,
    States,
    read_config,
)

if TYPE_CHECKING:
    import torch

    from pipeline.modalities.image.content import Image

MODALITY = "image"
LICENCE = "the model's own"
COST_MS = 100.0
PREPROCESSOR = "preprocessor_config.json"
FILES = (CONFIG, PREPROCESSOR, WEIGHTS)
HOW = "save it with save_pretrained() of its model and of its image processor"
CARD_BATCH = 256


class Options(OnCard, Pretrained, States):
    """Which network, what becomes of its states, and how many pictures at once."""

    pooling: Pooling = Field(
        "model",
        description="the network's own vector, or the mean of all patches, the first, or the "
        "largest of each number",
    )
    batch_size: int = Field(
        1,
        ge=1,
        le=1024,
        description=f"pictures computed together, in a batch always as large; {CARD_BATCH} where "
        "the device is cuda and nothing is said",
    )

    @classmethod
    def card_defaults(cls) -> dict[str, int]:
        """A batch that fills the card."""
        return {"batch_size": CARD_BATCH}


def shape(options: Options) -> tuple[int, ...]:
    """One vector a picture, of the network's hidden size."""
    config = read_config(locate(options))
    config = config.get("vision_config", config)
    if "hidden_sizes" in config:
        sizes = config["hidden_sizes"]
        return (int(sizes[-1 if options.layer is None else max(options.layer - 1, 0)]),)
    if "hidden_size" not in config:
        raise PipelineError(f"the config.json of model '{options.model}' states no hidden_size")
    return (int(config["hidden_size"]),)


def parameters(options: Options) -> dict[str, Any]:
    """What of the options is keyed."""
    return _pretrained.parameters(options)


def weights(options: Options) -> list[Path]:
    """The files that the encoder reads: see `_pretrained.weights`."""
    return _pretrained.weights(options, FILES, HOW)


def locate(options: Options) -> Path:
    """The model's folder: see `_pretrained.locate`."""
    return _pretrained.locate(options, FILES)


def prepare(contents: Sequence[Image], options: Options) -> list[Image]:
    """Pictures as the network is fed with them: uint8 RGB (side, side, 3). Needs no encoder."""
    return _squares(contents, _side(locate(options)))


class Encoder:
    """Pictures (uint8 RGB, (h, w, 3)), prepared or not, → float32 (n, hidden size)."""

    def __init__(self, options: Options) -> None:
        from pipeline.core.machine.device import torch_device
        from pipeline.encoders._fixed_batch import FixedBatch

        folder = locate(options)
        self._size, self._width, self._side = options.batch_size, shape(options)[0], _side(folder)
        device = torch_device(options.device)
        self._run = FixedBatch(
            _network(folder, options, device),
            self._size,
            (self._side, self._side, 3),
            np.uint8,
            device,
        )

    def encode(self, contents: Sequence[Image]) -> tuple[np.ndarray, np.ndarray]:
        """Vectors of shape (n, hidden size), and their lengths, all 1."""
        vectors = np.empty((len(contents), self._width), np.float32)
        for start in range(0, len(contents), self._size):
            rows = _squares(contents[start : start + self._size], self._side)
            vectors[start : start + len(rows)] = self._run(rows)
        return vectors, _pretrained.ones(len(contents))


def _squares(images: Sequence[Image], side: int) -> list[Image]:
    from pipeline.modalities.image.fit import letterbox

    square = (side, side, 3)
    return [image if image.shape == square else letterbox(image, side) for image in images]


def _side(folder: Path) -> int:
    """Pixels of the square that the network reads."""
    how = read_config(folder, PREPROCESSOR)
    for size in (how.get("crop_size"), how.get("size")):
        if isinstance(size, int):
            return size
        for name in ("height", "shortest_edge"):
            if isinstance(size, dict) and name in size:
                return int(size[name])
    raise PipelineError(f"{folder}: its {PREPROCESSOR} states no size")


def _network(folder: Path, options: Options, device: torch.device) -> Any:
    import torch

    how = read_config(folder, PREPROCESSOR)
    mean, deviation = (
        torch.tensor(how[name], dtype=torch.float32, device=device)
        for name in ("image_mean", "image_std")
    )
    scale = float(how.get("rescale_factor", 1 / 255))
    body: Any = _pretrained.read_network(folder, options.precision)
    body = getattr(body, "vision_model", body).to(device, memory_format=torch.channels_last)
    dtype = getattr(torch, options.precision)

    def network(pixels: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        planes = ((pixels.float() * scale - mean) / deviation).permute(0, 3, 1, 2).to(dtype)
        output = body(pixel_values=planes, output_hidden_states=options.layer is not None)
        return _pretrained.to_vectors(output, options)

    return network
