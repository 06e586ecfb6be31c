"""A network of torch as a graph of ONNX that goes from features to answers.

Temperature, standardisation of targets and what a kind of target makes of logits are part of the
graph, so that whoever runs it needs neither torch nor this package's kinds.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.models.examples import FeatureSpec
from pipeline.models.network import Network
from pipeline.models.onnx_network import PRESENT, lengths_name, values_name

OPSET = 17
VECTOR = "vector"
# Rows of the trace, of which the graph keeps no number.
TRACED = 3


def onnx_graph(network: Network, sets: Sequence[FeatureSpec]) -> bytes:
    """What `OnnxNetwork` runs; the same bytes for the same weights. The network is left as it was.

    Its inputs are by set values, float32 (n, *shape), and lengths, int32 (n,), and `present`, bool
    (n, sets); those that it does not need are left out. Its outputs are the tasks' answers.
    """
    spread = [
        *(torch.zeros(TRACED, *spec.shape) for spec in sets),
        *(torch.ones(TRACED, dtype=torch.int32) for _ in sets),
        torch.ones(TRACED, len(sets), dtype=torch.bool),
    ]
    names = [spec.name for spec in sets]
    inputs = [*map(values_name, names), *map(lengths_name, names), PRESENT]
    return _exported(_Answers(network), network, spread, inputs, network.tasks)


def vector_graph(network: Network, sets: Sequence[FeatureSpec], modality: str) -> bytes:
    """From the feature sets of one modality, all there, to its vector in the network's space.

    Its inputs are values and lengths, as those of `onnx_graph`; its output `vector`, float32
    (n, dimension).
    """
    used = [spec for spec in sets if spec.modality == modality]
    spread = [
        *(torch.zeros(TRACED, *spec.shape) for spec in used),
        *(torch.ones(TRACED, dtype=torch.int32) for _ in used),
    ]
    names = [spec.name for spec in used]
    inputs = [*map(values_name, names), *map(lengths_name, names)]
    return _exported(_Vector(network, names), network, spread, inputs, [VECTOR])


def _exported(
    module: nn.Module,
    network: Network,
    spread: Sequence[Tensor],
    inputs: Sequence[str],
    outputs: Sequence[str],
) -> bytes:
    """The graph of a module around a network, which is left as it was."""
    training = network.training
    buffer: Any = io.BytesIO()  # a file too, whatever its types say
    with warnings.catch_warnings(), _operators():
        # The exporter that traces is called old; the new one cannot export `searchsorted` either,
        # wants another library and takes ten times as long.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            tuple(spread),
            buffer,
            input_names=inputs,
            output_names=outputs,
            dynamic_axes={name: {0: "n"} for name in (*inputs, *outputs)},
            opset_version=OPSET,
            dynamo=False,
        )
    network.train(training)
    return _shortened(buffer.getvalue())


def _shortened(graph: bytes) -> bytes:
    """The same graph with short names inside: they were paths of modules, a tenth of int8's bytes.

    One with graphs of its own inside, whose names may be those outside, is left as it is.
    """
    import onnx

    model = onnx.load_from_string(graph)
    if any(each.HasField("g") for node in model.graph.node for each in node.attribute):
        return graph
    names: dict[str, str] = {
        each.name: each.name for each in (*model.graph.input, *model.graph.output)
    }
    names[""] = ""  # an input that is left out

    def short(name: str) -> Any:
        return names.setdefault(name, f"_{len(names)}")

    for place, node in enumerate(model.graph.node):
        node.name = f"_{place}"
        inputs, outputs = [*map(short, node.input)], [*map(short, node.output)]
        del node.input[:], node.output[:]
        node.input.extend(inputs)
        node.output.extend(outputs)
    for constant in model.graph.initializer:
        constant.name = short(constant.name)
    del model.graph.value_info[:]
    whole: bytes = model.SerializeToString(deterministic=True)
    return whole


class _Answers(nn.Module):
    """The network with its inputs side by side, up to the answers."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, *spread: Tensor) -> list[Tensor]:
        names = self.network.names
        values, lengths = spread[: len(names)], spread[len(names) : -1]
        logits = self.network(
            dict(zip(names, values, strict=True)),
            dict(zip(names, lengths, strict=True)),
            spread[-1],
        )
        return [self.network.decodings[task].answer(each) for task, each in logits.items()]


class _Vector(nn.Module):
    """The towers of some sets of one modality, with their inputs side by side, up to its vector."""

    def __init__(self, network: Network, names: Sequence[str]) -> None:
        super().__init__()
        self.network, self.names = network, list(names)

    def forward(self, *spread: Tensor) -> Tensor:
        count = len(self.names)
        tokens = [
            self.network.token(name, values, lengths)
            for name, values, lengths in zip(
                self.names, spread[:count], spread[count:], strict=True
            )
        ]
        return self.network.with_space().vector(
            tokens, [self.network.names.index(name) for name in self.names]
        )


@contextmanager
def _operators() -> Iterator[None]:
    """Inside, attention is spelled out, and operators that ONNX lacks are spelled by others."""
    onnx: Any = torch.onnx  # it does not say that it exports what follows
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    spellings = {"aten::searchsorted": _searchsorted, "aten::logaddexp": _logaddexp}
    for name, spelling in spellings.items():
        onnx.register_custom_op_symbolic(name, spelling, OPSET)
    try:
        yield
    finally:
        for name in spellings:
            onnx.unregister_custom_op_symbolic(name, OPSET)
        torch.backends.mha.set_fastpath_enabled(fused)


def _searchsorted(graph: Any, words: Any, ids: Any, *options: Any) -> Any:
    """How many of the words, sorted int64 (k,), are less than each id: a binary search, unrolled.

    options: those of torch, all at their defaults.
    """
    count = words.type().sizes()[0]
    one, most = _constant(graph, 1), _constant(graph, count)
    below = graph.op("Sub", ids, ids)
    for step in (1 << place for place in reversed(range(count.bit_length()))):
        reach = graph.op("Add", below, _constant(graph, step))
        place = graph.op("Sub", graph.op("Min", reach, most), one)
        less = graph.op("Less", graph.op("Gather", words, place), ids)
        inside = graph.op("LessOrEqual", reach, most)
        below = graph.op("Where", graph.op("And", less, inside), reach, below)
    return below


def _logaddexp(graph: Any, a: Any, b: Any) -> Any:
    """log(exp a + exp b) = max + log(1 + exp -|a - b|)."""
    apart = graph.op("Neg", graph.op("Abs", graph.op("Sub", a, b)))
    one = graph.op("Constant", value_t=torch.tensor(1.0))
    return graph.op(
        "Add",
        graph.op("Max", a, b),
        graph.op("Log", graph.op("Add", graph.op("Exp", apart), one)),
    )


def _constant(graph: Any, value: int) -> Any:
    return graph.op("Constant", value_t=torch.tensor(value))
