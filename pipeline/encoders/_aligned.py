"""Contents in the space that an aligned model has learned, by what `pipeline freeze` wrote of it.

Its folder holds for each modality `<modality>.json`, in the form of `Frozen`, and
`<modality>.onnx`: from the feature sets that the model read of it to one vector. Content is encoded
as for those feature sets, then by the graph, row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from pipeline.core.errors import PipelineError
from pipeline.core.files.documents import document
from pipeline.core.options import Options as Base
from pipeline.core.registry import locate
from pipeline.encoders import FOLDER, Encoder, EncoderKind, encoder_of, prepared

LICENCE = "the model's own"
COST_MS = 15.0


class Options(Base):
    """Whose space."""

    model: str = Field(min_length=1, description="folder that `pipeline freeze` wrote")


@dataclass(frozen=True)
class FrozenSet:
    """A feature set that the model read: its encoder with all options, and how it was stored."""

    name: str
    encoder: str
    options: dict[str, Any]
    dtype: str

    @property
    def kind(self) -> EncoderKind:
        return encoder_of(self.encoder)

    @property
    def inner(self) -> Base:
        """The options of its encoder."""
        options: Base = self.kind.Options(**self.options)
        return options


@dataclass(frozen=True)
class Frozen:
    """What a model reads of one modality, and how many numbers its vectors have."""

    dimension: int
    sets: list[FrozenSet]


@dataclass(frozen=True)
class Aligned:
    """What an encoder of one modality has: see `EncoderKind`."""

    modality: str

    def shape(self, options: Options) -> tuple[int, ...]:
        """(dimension,), of length 1."""
        return (self._frozen(options).dimension,)

    def weights(self, options: Options) -> list[Path]:
        """The frozen model's, and those of the encoders that it reads."""
        frozen = self._frozen(options)
        return [
            *self._paths(options),
            *(path for each in frozen.sets for path in each.kind.weights(each.inner)),
        ]

    def parameters(self, options: Options) -> dict[str, Any]:
        """Nothing: the model is known by its files, in which all else stands."""
        return {}

    def modules(self, options: Options) -> list[str]:
        """Those of the encoders that the model reads."""
        sets = self._frozen(options).sets
        called = [
            module
            for each in sets
            for module in getattr(each.kind, "modules", lambda _: ())(each.inner)
        ]
        return [*(locate(FOLDER, each.encoder) for each in sets), *called]

    def space(self, options: Options) -> str:
        """Which vectors may be compared, whatever modality they are of: those of one model."""
        return str(Path(options.model))

    def encoder(self, options: Options) -> AlignedEncoder:
        """What encodes."""
        return AlignedEncoder(self._frozen(options), self._paths(options)[1])

    def _paths(self, options: Options) -> list[Path]:
        folder = Path(options.model)
        paths = [folder / f"{self.modality}{ending}" for ending in (".json", ".onnx")]
        if missing := [path.name for path in paths if not path.is_file()]:
            raise PipelineError(
                f"{folder} holds no {' and no '.join(missing)}: `pipeline freeze MODEL --out "
                f"{folder}` writes them of a model with an alignment that reads {self.modality}"
            )
        return paths

    def _frozen(self, options: Options) -> Frozen:
        return document(self._paths(options)[0], Frozen)


class AlignedEncoder:
    """Contents of one modality → vectors of length 1."""

    def __init__(self, frozen: Frozen, graph: Path) -> None:
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = 1
        settings.inter_op_num_threads = 1
        settings.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        settings.use_deterministic_compute = True
        settings.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(graph), settings, providers=["CPUExecutionProvider"]
        )
        self._inputs = {node.name for node in self._session.get_inputs()}
        self._frozen = frozen
        self._encoders: list[Encoder] = [each.kind.Encoder(each.inner) for each in frozen.sets]

    def encode(self, contents: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        """Values, float32 (n, dimension), and lengths, all 1."""
        inputs: dict[str, np.ndarray] = {}
        for each, encoder in zip(self._frozen.sets, self._encoders, strict=True):
            values, lengths = encoder.encode(prepared(each.kind, contents, each.inner))
            inputs[f"values.{each.name}"] = values.astype(each.dtype).astype(np.float32)
            inputs[f"lengths.{each.name}"] = lengths
        vectors = np.zeros((len(contents), self._frozen.dimension), np.float32)
        for row in range(len(contents)):
            one_row = {name: inputs[name][row : row + 1] for name in self._inputs}
            vectors[row] = self._session.run(None, one_row)[0][0]
        return vectors, np.ones(len(contents), np.int32)
