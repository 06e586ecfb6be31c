"""Cleaned asset or view → feature: take the content, apply the recipe, encode."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Hashable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.core.errors import Rejected
from pipeline.core.machine.shortage import as_device_failure
from pipeline.encoders import EncoderKind, batch_places, encoder_of, prepared
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
    def batch_rows(self) -> int:  # type: ignore[override]
        return int(getattr(self.options, "batch_size", 1))

    @property
    def rows_at_once(self) -> int:  # type: ignore[override]
        return self.batch_rows * math.ceil(Work.rows_at_once / self.batch_rows)

    def batch(self, value: Any) -> tuple[Hashable, int]:
        """An encoder that has several shapes of batches says which one takes a row."""
        batch = getattr(self._encoder(), "batch", None)
        return batch(value, self.options) if batch else (None, self.batch_rows)

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
        on_gpu = getattr(self.options, "device", "cpu") != "cpu"
        blame = as_device_failure if on_gpu else nullcontext
        with blame(self.stage):
            encoder = self._encoder().Encoder(self.options)

        def encode(rows: Sequence[Row], contents: Sequence[Any]) -> list[Outcome]:
            with blame(self.stage):
                values, lengths = encoder.encode(contents)
            # As it will be stored: what float16 has no room for is no number there.
            values = values if values.dtype.kind == "i" else values.astype(self.dtype, copy=False)
            finite = np.isfinite(values).reshape(len(values), -1).all(1).tolist()
            return [
                outcome if is_finite else NOT_FINITE
                for outcome, is_finite in zip(
                    zip(values, lengths.tolist(), strict=True), finite, strict=True
                )
            ]

        def compute(rows: Sequence[Row], contents: Sequence[Any]) -> list[Outcome]:
            outcomes: list[Outcome] = [None] * len(rows)
            for places in batch_places([self.batch(content) for content in contents]):
                batch = apply_bisecting(
                    encode,
                    [rows[place] for place in places],
                    [contents[place] for place in places],
                    self.stage,
                )
                for place, outcome in zip(places, batch, strict=True):
                    outcomes[place] = outcome
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
