"""Cleaned asset or view → feature: take the content, apply the recipe, encode."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.core.errors import Rejected
from pipeline.encoders import EncoderKind, encoder_of, prepared
from pipeline.modalities import augmentation_of, content_of
from pipeline.parts.part import Compute, Outcome, Row, Work, apply_bisecting, read_part
from pipeline.store.format.layout import Dtype, Profile, features_table, write_features

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.core.options import Options
    from pipeline.parts.fingerprint import Fingerprint

NOT_FINITE = Rejected("not_finite", "the feature holds a NaN or an infinity")


@dataclass(frozen=True)
class Recipe:
    """What an encoder is fed: a row of a clean part, changed by operations (none for view 0)."""

    clean_part: str
    operations: str


@dataclass(frozen=True)
class Extract(Work):
    """Encodes one modality with one encoder; `clean` is data/clean/<modality>, seen by no key."""

    name: str
    encoder: str
    options: Options
    clean: Path
    fingerprint: Fingerprint
    dtype: Dtype = "float32"
    profile: Profile = "mapped"
    verb: str = "encoded"

    @property
    def stage(self) -> str:  # type: ignore[override]
        return f"extract/{self.name}"

    @property
    def modality(self) -> str:
        return str(self._encoder().MODALITY)

    @property
    def cost_ms(self) -> float:  # type: ignore[override]
        return float(self._encoder().COST_MS)

    @property
    def rows_at_once(self) -> int:  # type: ignore[override]
        size: int = getattr(self.options, "batch_size", 1)
        return size * math.ceil(Work.rows_at_once / size)

    def read(self, rows: Sequence[Row]) -> list[tuple[bytes, list[int]]]:
        """Packed contents with their shapes."""
        packed_by_digest: dict[str, tuple[bytes, list[int]]] = {}
        for name in dict.fromkeys(row.spec.clean_part for row in rows):
            digests = [row.digest for row in rows if row.spec.clean_part == name]
            table, place = _contents(self.clean / f"{name}.parquet")
            contents = table.take([place[digest] for digest in digests])
            packed = zip(contents["data"].to_pylist(), contents["shape"].to_pylist(), strict=True)
            packed_by_digest |= dict(zip(digests, packed, strict=True))
        return [packed_by_digest[row.digest] for row in rows]

    def prepare(self, rows: Sequence[Row], read: Sequence[Any]) -> list[Any]:
        """Contents after their recipes, as the encoder takes them."""
        unpack = content_of(self.modality).unpack
        apply = augmentation_of(self.modality).apply
        contents = []
        for row, (data, shape) in zip(rows, read, strict=True):
            content, operations = unpack(data, shape), json.loads(row.spec.operations)
            contents.append(apply(content, operations) if operations else content)
        return list(prepared(self._encoder(), contents, self.options))

    def open(self) -> Compute:
        """The encoder, fed with as many rows as its options say."""
        encoder = self._encoder().Encoder(self.options)
        size = getattr(self.options, "batch_size", 1)

        def encode(rows: Sequence[Row], contents: Sequence[Any]) -> list[Outcome]:
            values, lengths = encoder.encode(contents)
            # As it will be stored: what float16 has no room for is no number there.
            values = values if values.dtype.kind == "i" else values.astype(self.dtype, copy=False)
            return [
                (value, int(length)) if np.isfinite(value).all() else NOT_FINITE
                for value, length in zip(values, lengths, strict=True)
            ]

        def compute(rows: Sequence[Row], contents: Sequence[Any]) -> list[Outcome]:
            outcomes: list[Outcome] = []
            for start in range(0, len(rows), size):
                block = slice(start, start + size)
                outcomes += apply_bisecting(encode, rows[block], contents[block], self.stage)
            return outcomes

        return compute

    def table(self, rows: Sequence[Row], outcomes: Sequence[tuple[np.ndarray, int]]) -> pa.Table:
        shape = self._encoder().shape(self.options)
        values = [value for value, _ in outcomes]
        return features_table(
            [row.digest for row in rows],
            [row.key for row in rows],
            [row.view for row in rows],
            np.array([length for _, length in outcomes], np.int32),
            np.stack(values) if values else np.empty((0, *shape), self.dtype),
        )

    def write(self, table: pa.Table, path: Path, metadata: dict[bytes, bytes]) -> None:
        write_features(table, path, metadata, self.profile)

    def _encoder(self) -> EncoderKind:
        return encoder_of(self.encoder)


@functools.lru_cache(maxsize=1)
def _contents(part: Path) -> tuple[pa.Table, dict[str, int]]:
    """A clean part's contents, and digest → place.

    The last one is kept: rows come a few at a time, and most of a part's from one clean part.
    """
    table = read_part(part, ["digest", "shape", "data"])
    return table, {digest: i for i, digest in enumerate(table["digest"].to_pylist())}
