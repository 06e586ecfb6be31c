"""Asset → cleaned content: decode, check, normalise, measure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pipeline.digest import digest_bytes
from pipeline.errors import Rejected, raise_trouble
from pipeline.part import Compute, Part, Row, refuse, write_table
from pipeline.raw import Raw
from pipeline.records import Reject, clean_schema
from pipeline.registry import load

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.fingerprint import Fingerprint
    from pipeline.options import Options


@dataclass(frozen=True)
class Source:
    """Where an asset's bytes are: in `data`, or in the file that `locator` names."""

    locator: str
    media_type: str
    data: bytes | None


@dataclass(frozen=True)
class Clean:
    """Cleans the assets of one modality; `raw` says where they lie, which no key sees."""

    modality: str
    options: Options
    raw: Raw
    fingerprint: Fingerprint

    @property
    def stage(self) -> str:
        return f"clean/{self.modality}"

    @property
    def cost_ms(self) -> float:
        return float(self._module().COST_MS)

    def open(self) -> Compute:
        module = self._module()
        content = load(f"modalities/{self.modality}", "content")
        return lambda part: self._clean(part, module, content)

    def write(self, table: pa.Table, path: Path, metadata: dict[bytes, bytes]) -> None:
        write_table(table, path, metadata)

    def _module(self) -> ModuleType:
        return load(f"modalities/{self.modality}", "clean")

    def _clean(
        self, part: Part, module: ModuleType, content: ModuleType
    ) -> tuple[pa.Table, list[Reject]]:
        import pyarrow as pa

        schema = clean_schema(measurements_schema(module))
        records: list[dict[str, Any]] = []
        refused: list[Reject] = []
        for row in part.rows:
            data = self._bytes(row)
            try:
                cleaned, measured = module.clean(data, row.spec.media_type, self.options)
            except Rejected as reject:
                refused.append(refuse(self.stage, row, reject.reason, reject.message))
                continue
            except Exception as error:
                raise_trouble(self.stage, error)
                name = type(error).__name__
                refused.append(refuse(self.stage, row, "failed", f"cleaning raised {name}"))
                continue
            packed, shape = content.pack(cleaned)
            records.append(
                {
                    "digest": row.digest,
                    "batch": row.batch,
                    "content": digest_bytes(repr(tuple(shape)).encode() + packed),
                    "shape": list(shape),
                    "data": packed,
                    **measured,
                }
            )
        return pa.Table.from_pylist(records, schema=schema), refused

    def _bytes(self, row: Row) -> bytes:
        if row.spec.data is not None:
            return bytes(row.spec.data)
        return self.raw.read(row.source, row.spec.locator, row.digest)


def measurements_schema(module: ModuleType) -> pa.Schema:
    """The columns that a modality's cleaning measures."""
    import pyarrow as pa

    return pa.schema([(name, pa.type_for_alias(kind)) for name, kind in module.MEASUREMENTS])
