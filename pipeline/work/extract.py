"""Cleaned asset or view → feature: take the content, apply the recipe, encode."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import Rejected, raise_trouble
from pipeline.part import Compute, Part, Row, refuse
from pipeline.records import Reject
from pipeline.registry import load
from pipeline.store.layout import features_table, write_features

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from pipeline.fingerprint import Fingerprint
    from pipeline.options import Options

    Encode = Callable[["Contents"], tuple[np.ndarray, np.ndarray]]

# Rows with their contents before any recipe.
Contents = list[tuple[Row, Any]]


@dataclass(frozen=True)
class Recipe:
    """What an encoder is fed: a row of a clean part, changed by operations (none for view 0)."""

    clean_part: str
    operations: str


@dataclass(frozen=True)
class Extract:
    """Encodes one modality with one encoder; `clean` is data/clean/<modality>, seen by no key."""

    name: str
    encoder: str
    options: Options
    clean: Path
    fingerprint: Fingerprint

    @property
    def stage(self) -> str:
        return f"extract/{self.name}"

    @property
    def modality(self) -> str:
        return str(load("encoders", self.encoder).MODALITY)

    @property
    def cost_ms(self) -> float:
        return float(load("encoders", self.encoder).COST_MS)

    def open(self) -> Compute:
        encoder = load("encoders", self.encoder).Encoder(self.options)
        apply = load(f"modalities/{self.modality}", "augment").apply

        def encode(rows: Contents) -> tuple[np.ndarray, np.ndarray]:
            operations = [json.loads(row.spec.operations) for row, _ in rows]
            contents = [content for _, content in rows]
            return encoder.encode(  # type: ignore[no-any-return]
                [
                    apply(content, ops) if ops else content
                    for content, ops in zip(contents, operations, strict=True)
                ]
            )

        return lambda part: self._extract(part, encode)

    def write(self, table: pa.Table, path: Path, metadata: dict[bytes, bytes]) -> None:
        write_features(table, path, metadata)

    def _extract(self, part: Part, encode: Encode) -> tuple[pa.Table, list[Reject]]:
        import numpy as np

        rows: list[Row] = []
        values: list[np.ndarray] = []
        lengths: list[int] = []
        refused: list[Reject] = []
        size = getattr(self.options, "batch_size", 1)
        for batch in _batches(self._contents(part), size):
            for row, outcome in _outcomes(batch, encode, self.stage):
                if isinstance(outcome, Rejected):
                    refused.append(refuse(self.stage, row, outcome.reason, outcome.message))
                else:
                    rows.append(row)
                    values.append(outcome[0])
                    lengths.append(outcome[1])
        shape = load("encoders", self.encoder).shape(self.options)
        table = features_table(
            [row.digest for row in rows],
            [row.batch for row in rows],
            [row.view for row in rows],
            np.array(lengths, np.int32),
            np.stack(values) if values else np.empty((0, *shape), np.float32),
        )
        return table, refused

    def _contents(self, part: Part) -> Iterator[tuple[Row, Any]]:
        """Rows with their content, read from one clean part after the other."""
        import pyarrow.parquet as pq

        unpack = load(f"modalities/{self.modality}", "content").unpack
        for name, group in groupby(part.rows, key=lambda row: row.spec.clean_part):
            table = pq.read_table(
                self.clean / f"{name}.parquet",
                columns=["digest", "shape", "data"],
                partitioning=None,
            )
            place = {digest: i for i, digest in enumerate(table["digest"].to_pylist())}
            for row in group:
                i = place[row.digest]
                yield row, unpack(table["data"][i].as_py(), table["shape"][i].as_py())


def _outcomes(
    rows: Contents, encode: Encode, stage: str
) -> Iterator[tuple[Row, tuple[np.ndarray, int] | Rejected]]:
    """Encode a batch; if it raises, each of its rows alone, so that a bad row costs itself."""
    import numpy as np

    try:
        values, lengths = encode(rows)
    except Exception as error:
        raise_trouble(stage, error)
        if len(rows) > 1:
            for item in rows:
                yield from _outcomes([item], encode, stage)
            return
        if not isinstance(error, Rejected):
            error = Rejected("failed", f"encoding raised {type(error).__name__}")
        yield rows[0][0], error
        return
    for (row, _), value, length in zip(rows, values, lengths, strict=True):
        if np.isfinite(value).all():
            yield row, (value, int(length))
        else:
            yield row, Rejected("not_finite", "the feature holds a NaN or an infinity")


def _batches(items: Iterator[tuple[Row, Any]], size: int) -> Iterator[Contents]:
    batch: Contents = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
