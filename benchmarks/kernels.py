"""The project's own kernels as one plain function from a file to its row, for whoever runs it.

Everything comes from params.yaml, so that the kernels are those of the default recipe: decode and
normalise, then EfficientNet-lite0 for a picture and MFCC for a recording.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.errors import Rejected
from pipeline.core.registry import load as plugin
from pipeline.params import Params, load

PROJECT = Path(__file__).parents[1]
# Compression of what peers write: as the project writes its cleaned contents and its vectors.
PARQUET: dict[str, Any] = {"compression": "zstd", "compression_level": 1}
# Rows that peers hold at once, and write at once.
CHUNK = 64
SETS = {"image": "efficientnet_lite0", "audio": "mfcc"}


@cache
def params() -> Params:
    """The project's params.yaml."""
    return load(PROJECT / "params.yaml")


def files(raw: Path, modality: str) -> list[Path]:
    """The files of one modality, <raw>/<modality>/<digest>.<suffix>, in the order of digests."""
    return sorted((raw / modality).iterdir())


class Kernel:
    """A file's bytes → its cleaned content, measurements and vector, on one thread."""

    def __init__(self, modality: str) -> None:
        self.modality = modality
        self.clean = plugin(f"modalities/{modality}", "clean").clean
        self.pack = plugin(f"modalities/{modality}", "content").pack
        self.options = params().clean[modality].options
        feature = params().features[SETS[modality]]
        self.encoder = plugin("encoders", feature.encoder).Encoder(feature.options)

    def content(self, data: bytes) -> tuple[Any, dict[str, Any]] | None:
        """The cleaned content and what was measured of it, or None for what cleaning refuses."""
        try:
            cleaned: tuple[Any, dict[str, Any]] = self.clean(data, "", self.options)
        except Rejected:
            return None
        return cleaned

    def encode(self, content: Any) -> Any:
        """The vector, float32 (D,)."""
        return self.encoder.encode([content])[0][0]

    def row(self, path: str) -> dict[str, Any] | None:
        """What every peer writes of a file: digest, content, shape, measurements, vector."""
        found = self.content(Path(path).read_bytes())
        if found is None:
            return None
        content, measured = found
        data, shape = self.pack(content)
        return {
            "digest": Path(path).stem,
            "data": data,
            "shape": list(shape),
            **measured,
            "vector": self.encode(content),
        }


@cache
def kernel(modality: str) -> Kernel:
    """One kernel a process and modality."""
    return Kernel(modality)


def schema(modality: str) -> Any:
    """The Arrow schema of rows."""
    import pyarrow as pa

    from pipeline.stages.work.clean import measurements_schema

    feature = params().features[SETS[modality]]
    (width,) = plugin("encoders", feature.encoder).shape(feature.options)
    return pa.schema(
        [
            ("digest", pa.string()),
            ("data", pa.binary()),
            ("shape", pa.list_(pa.int32())),
            *measurements_schema(plugin(f"modalities/{modality}", "clean")),
            ("vector", pa.list_(pa.float32(), width)),
        ]
    )


def table(paths: Iterable[str], modality: str) -> Any:
    """The rows of some files as an Arrow table, refused ones left out."""
    import pyarrow as pa

    rows = [row for path in paths if (row := kernel(modality).row(path)) is not None]
    vectors = [row.pop("vector") for row in rows]
    whole = schema(modality)
    names = pa.schema(list(whole)[:-1])
    flat = pa.array(np.concatenate(vectors) if vectors else np.empty(0, np.float32))
    column = pa.FixedSizeListArray.from_arrays(flat, type=whole.field("vector").type)
    return pa.Table.from_pylist(rows, schema=names).append_column(whole.field("vector"), column)
