"""A network of token ids as an ONNX graph, whose sums run in the same order on every processor."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def trace(network: torch.nn.Module, graph: Path) -> None:
    """Write the ONNX graph of what the network does to 8 tokens, with their number left open."""
    import torch

    with warnings.catch_warnings():
        # The exporter that traces is called old; the new one needs onnxscript and is not faster.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.ones((1, 8), dtype=torch.int64),),
            graph,
            input_names=["ids"],
            output_names=["vector"],
            dynamic_axes={"ids": {1: "tokens"}},
            opset_version=17,
            dynamo=False,
        )
    _spell_softmax(graph)


def _spell_softmax(graph: Path) -> None:
    """Write each Softmax as the operations that it stands for.

    ONNX Runtime's own sums 8 or 16 numbers abreast, as the processor has it, and so comes out
    differently; the operations in its place do not, and took 0 to 8 % longer by the text's length.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(graph)
    nodes = list(model.graph.node)
    del model.graph.node[:]
    for node in nodes:
        if node.op_type != "Softmax":
            model.graph.node.append(node)
            continue
        (x,), (y,) = node.input, node.output
        axis = next(attribute.i for attribute in node.attribute if attribute.name == "axis")
        model.graph.initializer.append(numpy_helper.from_array(np.array([axis]), f"{y}.axis"))
        model.graph.node.extend(
            [
                helper.make_node("ReduceMax", [x], [f"{y}.most"], axes=[axis]),
                helper.make_node("Sub", [x, f"{y}.most"], [f"{y}.below"]),
                helper.make_node("Exp", [f"{y}.below"], [f"{y}.exp"]),
                helper.make_node("ReduceSum", [f"{y}.exp", f"{y}.axis"], [f"{y}.sum"]),
                helper.make_node("Div", [f"{y}.exp", f"{y}.sum"], [y]),
            ]
        )
    onnx.save(model, graph)
