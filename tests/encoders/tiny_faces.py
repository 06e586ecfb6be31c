"""Networks in the form of OpenCV's face detector and recogniser, whose answers can be told.

The detector sees a face in each cell of 32 by 32 pixels, as probable as the cell is bright. The
recogniser's vector is the picture's mean colour in quarters, red first.
"""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# Right eye, left eye, nose, corners of the mouth: shares of a cell.
POINTS = (0.34, 0.46, 0.66, 0.46, 0.5, 0.64, 0.37, 0.82, 0.63, 0.82)
CELL = 32


@functools.cache
def detector() -> Path:
    nodes, constants, outputs = [], {}, []

    def constant(name: str, values: object, kind: type = np.float32) -> str:
        constants[name] = numpy_helper.from_array(np.array(values, kind), name)
        return name

    constant("column", [1, -1, 1], np.int64)
    constant("white", 3 * 255.0)
    constant("nothing", 0.0)
    for stride in (8, 16, CELL):
        pool = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
        nodes += [
            helper.make_node(
                "ReduceSum", ["input", constant("axis", [1], np.int64)], [f"s{stride}"]
            ),
            helper.make_node("AveragePool", [f"s{stride}"], [f"p{stride}"], **pool),
            helper.make_node("Reshape", [f"p{stride}", "column"], [f"r{stride}"]),
            helper.make_node("Div", [f"r{stride}", "white"], [f"bright{stride}"]),
            helper.make_node("Mul", [f"bright{stride}", "nothing"], [f"none{stride}"]),
        ]
        # Only the largest cells show faces.
        seen = "bright" if stride == CELL else "none"
        for name, offset in (
            ("cls", None),
            ("obj", None),
            ("bbox", (0.5, 0.5, 0, 0)),
            ("kps", POINTS),
        ):
            output = f"{name}_{stride}"
            outputs.append(output)
            if offset is None:
                nodes.append(helper.make_node("Identity", [f"{seen}{stride}"], [output]))
            else:
                inputs = [f"none{stride}", constant(name, [[offset]])]
                nodes.append(helper.make_node("Add", inputs, [output]))
    return _saved(
        "detector.onnx",
        nodes,
        constants,
        [1, 3, "height", "width"],
        outputs,
        [1, "cells", "numbers"],
    )


@functools.cache
def recogniser() -> Path:
    size = numpy_helper.from_array(np.array([1, -1], np.int64), "row")
    nodes = [
        helper.make_node(
            "AveragePool", ["input"], ["quarters"], kernel_shape=[56, 56], strides=[56, 56]
        ),
        helper.make_node("Reshape", ["quarters", "row"], ["vector"]),
    ]
    return _saved("recogniser.onnx", nodes, {"row": size}, [1, 3, 112, 112], ["vector"], [1, 12])


def _saved(
    name: str,
    nodes: list[onnx.NodeProto],
    constants: dict[str, onnx.TensorProto],
    shape: list[object],
    outputs: list[str],
    output_shape: list[object],
) -> Path:
    kind = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "faces",
        [helper.make_tensor_value_info("input", kind, shape)],
        [helper.make_tensor_value_info(output, kind, output_shape) for output in outputs],
        [*constants.values()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path := _parent() / name)
    return path


@functools.cache
def _parent() -> Path:
    parent = tempfile.mkdtemp(prefix="tiny-faces-")
    atexit.register(shutil.rmtree, parent, ignore_errors=True)
    return Path(parent)
