"""A network as a graph of ONNX: from features and a presence mask to answers, without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.core.machine.shortage import is_shortage
from pipeline.models.decoding import Decoding
from pipeline.models.examples import Examples, FeatureSpec
from pipeline.models.prediction import ROWS

PRESENT = "present"


def values_name(feature_set: str) -> str:
    """What the graph calls the values of a set, float32 (n, *shape)."""
    return f"values.{feature_set}"


def lengths_name(feature_set: str) -> str:
    """What the graph calls the lengths of a set, int32 (n,)."""
    return f"lengths.{feature_set}"


class OnnxNetwork:
    """It is `Answering`: what a `Network` of torch answers, computed by ONNX Runtime.

    Parameters
    ----------
    graph:
        As `compression.export` makes it. It takes of the sets' values and lengths, and of
        `present`, bool (n, sets), what it needs, and gives each task's answer by its name.

    Raises
    ------
    ValueError
        The bytes are no graph, or that of another model.
    """

    def __init__(
        self, graph: bytes, sets: Sequence[FeatureSpec], decodings: Mapping[str, Decoding]
    ) -> None:
        self.tasks, self.decodings, self.names = list(decodings), decodings, [s.name for s in sets]
        self._session = _session(graph)
        self._inputs = {node.name for node in self._session.get_inputs()}
        needed = {PRESENT, *map(values_name, self.names)}
        known = needed.union(map(lengths_name, self.names))
        shapes = {node.name: tuple(node.shape[1:]) for node in self._session.get_inputs()}
        outputs = [node.name for node in self._session.get_outputs()]
        if not needed <= self._inputs <= known or outputs != self.tasks:
            raise ValueError("the graph reads or answers something else")
        for spec in sets:
            if shapes[values_name(spec.name)] != spec.shape:
                raise ValueError(f"the graph reads rows of another shape from '{spec.name}'")

    def answers(self, examples: Examples, visible: np.ndarray) -> dict[str, np.ndarray]:
        """As `Answering` has it."""
        batches = [
            self._session.run(None, self.feed(examples, visible, slice(start, start + ROWS)))
            for start in range(0, len(visible), ROWS)
        ]
        return {
            task: np.concatenate(each)
            for task, each in zip(self.tasks, zip(*batches, strict=True), strict=True)
        }

    def feed(self, examples: Examples, visible: np.ndarray, rows: slice) -> dict[str, np.ndarray]:
        """By name, what the graph takes of some rows at view 0; `visible`: bool (n, sets)."""
        inputs = {PRESENT: examples.present[rows] & visible[rows]}
        for name in self.names:
            inputs[values_name(name)] = examples.values[name][0, rows]
            inputs[lengths_name(name)] = examples.lengths[name][0, rows]
        return {name: inputs[name] for name in self._inputs}


def _session(graph: bytes) -> Any:
    """One thread, in the graph's order, so that the bits do not depend on the machine's load.

    ValueError if the bytes are no graph: ONNX Runtime's own errors have no kind of their own.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"], enable_fallback=0
        )
    except Exception as error:
        if is_shortage(error):
            raise
        raise ValueError(f"no graph of ONNX: {error}") from error
