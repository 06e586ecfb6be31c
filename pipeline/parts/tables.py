"""Tables that are made whole (samples, assets, curated), stored as parts like everything else.

The rows are at hand already, so a row's key is its own content: rows that stay the same keep their
parts, and a global step that is recomputed whole rewrites only what it changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.core.errors import Rejected
from pipeline.core.files.digest import digest_bytes, digest_json
from pipeline.core.records import Reject
from pipeline.parts.fingerprint import Fingerprint
from pipeline.parts.part import Compute, Outcome, Row, Work
from pipeline.parts.plan import PartsPlan


@dataclass(frozen=True)
class TableWork(Work):
    """Writes rows that are already there: each row's spec is a record or a Reject."""

    stage: str
    fingerprint: Fingerprint
    schema: pa.Schema
    cost_ms: float = 0.0
    verb: str = "written"

    def read(self, rows: Sequence[Row]) -> list[Outcome]:
        return [
            Rejected(row.spec.reason, row.spec.message)
            if isinstance(row.spec, Reject)
            else row.spec
            for row in rows
        ]

    def refuse(self, row: Row, why: Rejected) -> Reject:
        reject: Reject = row.spec
        return reject

    def open(self) -> Compute:
        return lambda rows, values: values

    def table(self, rows: Sequence[Row], outcomes: Sequence[dict[str, Any]]) -> pa.Table:
        return pa.Table.from_pylist(list(outcomes), schema=self.schema)


def record_row(record: Mapping[str, Any], identity: str | None = None) -> Row:
    """A row from a record with `source` and `batch`, placed by the digest of its `identity`.

    An asset has a digest already, and is placed by that.
    """
    readable = {name: v.hex() if isinstance(v, bytes) else v for name, v in record.items()}
    return Row(
        digest=record["digest"] if identity is None else digest_bytes(identity.encode()),
        key=digest_json(readable),
        source=record["source"],
        batch=record["batch"],
        size=len(record.get("data") or b""),
        spec=dict(record),
    )


def reject_row(reject: Reject) -> Row:
    """A row from a reject, so that the refused stand in the part where they would have been."""
    return Row(
        digest=digest_bytes(f"{reject.subject_kind}:{reject.subject}".encode()),
        key=digest_json(asdict(reject)),
        source=reject.source,
        batch=reject.batch,
        size=0,
        spec=reject,
    )


def table(
    out: Path,
    stage: str,
    fingerprint: Fingerprint,
    schema: pa.Schema,
    rows: Iterable[Row],
    mean_rows: int,
    max_bytes: int,
    reject_limit: float,
) -> PartsPlan:
    """A plan to bring `out` to exactly these rows."""
    from pipeline.parts.serial import Serial

    listed = list(rows)
    return PartsPlan(
        out=out,
        work=TableWork(stage, fingerprint, schema),
        rows=lambda: listed,
        reads=lambda: [row.key for row in listed],
        cut=(mean_rows, max_bytes),
        executor=lambda _: Serial(),
        reject_limit=reject_limit,
    )
