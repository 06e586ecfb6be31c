"""A graph of ONNX whose weights, and what they are multiplied by, are whole numbers of 8 bits.

ONNX Runtime's own tools do it. Weights take 7 of their 8 bits: sums of the other one overflow on
processors without VNNI, and answers would depend on the machine.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from pipeline.models.examples import Examples
from pipeline.models.onnx_network import OnnxNetwork

# What multiplies by weights; the rest is a small share of the work and stays. A convolution
# whose scales change with each batch is slower than one in float32.
DYNAMIC = ("MatMul", "Gemm")
STATIC = (*DYNAMIC, "Conv")
# Rows at once from which scales are taken.
ROWS = 32


def quantise_dynamic(graph: bytes) -> bytes:
    """Weights as int8; the scales of activations are those of each batch."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with TemporaryDirectory() as folder, _quiet():
        before, after = Path(folder, "before.onnx"), Path(folder, "after.onnx")
        before.write_bytes(graph)
        quantize_dynamic(
            before,
            after,
            op_types_to_quantize=list(DYNAMIC),
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
        )
        return after.read_bytes()


def quantise_static(graph: bytes, feeds: Iterator[dict[str, np.ndarray]]) -> bytes:
    """Weights and activations as int8; the scales of activations are those of the given inputs.

    feeds: by input of the graph, batches of rows that stand for what it will meet.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType
    from onnxruntime.quantization import quantize_static as quantize

    class Feeds(CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(feeds, None)

    with TemporaryDirectory() as folder, _quiet():
        before, after = Path(folder, "before.onnx"), Path(folder, "after.onnx")
        before.write_bytes(graph)
        quantize(
            before,
            after,
            Feeds(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(STATIC),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return after.read_bytes()


@contextmanager
def _quiet() -> Iterator[None]:
    """The tools advise on the root logger to simplify the graph first, which is simple."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def calibration_feeds(network: OnnxNetwork, examples: Examples) -> Iterator[dict[str, np.ndarray]]:
    """Inputs for `quantise_static`: examples as they are, then with each modality alone."""
    owner = np.array([spec.modality for spec in examples.sets])
    for shown in (None, *examples.modalities):
        visible = np.broadcast_to(True if shown is None else owner == shown, examples.present.shape)
        for start in range(0, len(examples), ROWS):
            yield network.feed(examples, visible, slice(start, start + ROWS))
