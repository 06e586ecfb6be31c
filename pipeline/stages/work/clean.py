"""Asset → cleaned content: decode, check, normalise, measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline.core.errors import Rejected
from pipeline.core.files.digest import digest_bytes
from pipeline.core.schemas import clean_schema
from pipeline.modalities import cleaning_of, content_of
from pipeline.parts.part import Compute, Row, Work
from pipeline.raw.roots import Raw

if TYPE_CHECKING:
    from pipeline.core.options import Options
    from pipeline.modalities import Cleaning
    from pipeline.parts.fingerprint import Fingerprint


@dataclass(frozen=True)
class Source:
    """Where an asset's bytes are: in `data`, or in the file that `locator` names."""

    locator: str
    media_type: str
    data: bytes | None


@dataclass(frozen=True)
class Clean(Work):
    """Cleans the assets of one modality; `raw` says where they lie, which no key sees."""

    modality: str
    options: Options
    raw: Raw
    fingerprint: Fingerprint
    verb: str = "decoded"

    @property
    def stage(self) -> str:  # type: ignore[override]
        return f"clean/{self.modality}"

    @property
    def cost_ms(self) -> float:  # type: ignore[override]
        cleaning = cleaning_of(self.modality)
        cost_ms = getattr(cleaning, "cost_ms", None)
        return float(cost_ms(self.options) if cost_ms else cleaning.COST_MS)

    def file_of(self, row: Row) -> str:
        return str(row.spec.locator)

    def read(self, rows: Sequence[Row]) -> list[bytes]:
        return [self._bytes(row) for row in rows]

    def open(self) -> Compute:
        clean = cleaning_of(self.modality).clean
        pack = content_of(self.modality).pack

        def clean_row(row: Row, data: bytes) -> dict[str, Any] | Rejected:
            try:
                cleaned, measured = clean(data, row.spec.media_type, self.options)
            except Rejected as reject:
                return reject
            packed, shape = pack(cleaned)
            return {
                "digest": row.digest,
                "key": row.key,
                "content": digest_bytes(repr(tuple(shape)).encode() + packed),
                "shape": list(shape),
                "data": packed,
                **measured,
            }

        return lambda rows, values: [clean_row(*pair) for pair in zip(rows, values, strict=True)]

    def table(self, rows: Sequence[Row], outcomes: Sequence[dict[str, Any]]) -> pa.Table:
        schema = clean_schema(measurements_schema(cleaning_of(self.modality)))
        return pa.Table.from_pylist(list(outcomes), schema=schema)

    def _bytes(self, row: Row) -> bytes:
        if row.spec.data is not None:
            return bytes(row.spec.data)
        return self.raw.read(row.source, row.spec.locator, row.digest)


def measurements_schema(cleaning: Cleaning) -> pa.Schema:
    """The columns that a modality's cleaning measures."""
    return pa.schema([(name, pa.type_for_alias(kind)) for name, kind in cleaning.MEASUREMENTS])
