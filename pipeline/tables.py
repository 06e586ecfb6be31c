"""Tables that are made whole (samples, assets, curated), stored as parts like everything else.

The rows are at hand already, so a row's key is its own content: rows that stay the same keep their
parts, and a global step that is recomputed whole rewrites only what it changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import parts
from pipeline.digest import digest_bytes, digest_json
from pipeline.fingerprint import Fingerprint
from pipeline.part import Compute, Part, Row, write_table
from pipeline.parts import Summary
from pipeline.records import Reject

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class TableWork:
    """Writes rows that are already there: each row's spec is a record or a Reject."""

    stage: str
    fingerprint: Fingerprint
    schema: pa.Schema
    cost_ms: float = 0.0

    def open(self) -> Compute:
        return self._compute

    def _compute(self, part: Part) -> tuple[pa.Table, list[Reject]]:
        import pyarrow as pa

        records = [row.spec for row in part.rows if not isinstance(row.spec, Reject)]
        refused = [row.spec for row in part.rows if isinstance(row.spec, Reject)]
        return pa.Table.from_pylist(records, schema=self.schema), refused

    def write(self, table: pa.Table, path: Path, metadata: dict[bytes, bytes]) -> None:
        write_table(table, path, metadata)


def record_row(record: Mapping[str, Any], identity: str | None = None) -> Row:
    """A row from a record with `source` and `batch`, placed by the digest of its `identity`.

    An asset has a digest already, and is placed by that.
    """
    shown = {name: v.hex() if isinstance(v, bytes) else v for name, v in record.items()}
    return Row(
        digest=record["digest"] if identity is None else digest_bytes(identity.encode()),
        key=digest_json(shown),
        source=record["source"],
        batch=record["batch"],
        size=len(record.get("data") or b""),
        spec=dict(record),
    )


def reject_row(reject: Reject) -> Row:
    """A row from a reject, so that the refused stand in the part where they would have been."""
    return Row(
        digest=digest_bytes(f"{reject.subject_kind}:{reject.subject}".encode()),
        key=digest_json([reject.reason, reject.subject, reject.digest, reject.message]),
        source=reject.source,
        batch=reject.batch,
        size=0,
        spec=reject,
    )


def store(
    out: Path,
    stage: str,
    fingerprint: Fingerprint,
    schema: pa.Schema,
    rows: Iterable[Row],
    mean_rows: int,
    max_bytes: int,
    reject_limit: float,
) -> Summary:
    """Bring `out` to exactly these rows."""
    from pipeline.execution.local import Serial

    work = TableWork(stage, fingerprint, schema)
    planned = parts.plan(fingerprint, rows, mean_rows, max_bytes)
    return parts.run(out, work, planned, lambda _: Serial(), reject_limit)
