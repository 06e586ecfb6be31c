"""What became of each run: a row of Parquet, in a file of its own, all of which are one log.

`nightly/runs` is an ordinary Parquet dataset that every engine opens:
`SELECT run, outcome FROM 'nightly/runs/*.parquet'`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.batches import in_order
from pipeline.core.errors import PipelineError, unknown
from pipeline.core.files.atomic import atomic_write
from pipeline.core.files.digest import digest_file
from pipeline.core.files.documents import reading
from pipeline.core.folders import DATA, EVALUATION
from pipeline.execution import run_record
from pipeline.models.evaluation.figure_files import parse_number, read_rows
from pipeline.nightly.journal import Night
from pipeline.nightly.repository import tag_of

RECORDS = Path("nightly", "runs")
LOCK = Path("dvc.lock")


def _rows_of(**columns: pa.DataType) -> pa.DataType:
    return pa.list_(pa.struct(list(columns.items())))


TEXT, WHOLE, NUMBER = pa.string(), pa.int64(), pa.float64()
SCHEMA = pa.schema(
    [
        pa.field("run", TEXT, nullable=False),
        pa.field("started", pa.timestamp("ms", "UTC"), nullable=False),
        pa.field("ended", pa.timestamp("ms", "UTC"), nullable=False),
        pa.field("outcome", TEXT, nullable=False),  # promoted, held, nothing, bad_data
        pa.field("rule", TEXT, nullable=False),  # which rule decided
        pa.field("why", TEXT, nullable=False),
        pa.field("base", TEXT, nullable=False),  # commit that it began on
        ("revision", TEXT),  # commit of its data and models
        ("tag", TEXT),
        ("lock", TEXT),  # SHA-256 of dvc.lock, which names all data
        pa.field("landed_files", WHOLE, nullable=False),
        pa.field("landed_bytes", WHOLE, nullable=False),
        pa.field("computed_rows", WHOLE, nullable=False),  # cleaned, augmented, encoded
        pa.field("seconds", NUMBER, nullable=False),
        pa.field("cpu_seconds", NUMBER, nullable=False),
        pa.field("gpu_seconds", NUMBER, nullable=False),
        (
            "landings",
            _rows_of(
                source=TEXT, landing=TEXT, batch=TEXT, fate=TEXT, why=TEXT, files=WHOLE, bytes=WHOLE
            ),
        ),
        ("left", _rows_of(landing=TEXT, why=TEXT)),
        (
            "stages",
            _rows_of(
                stage=TEXT, outcome=TEXT, rows=WHOLE, rejected=WHOLE, computed_rows=WHOLE,
                computed=WHOLE, restored=WHOLE, reused=WHOLE, seconds=NUMBER, cpu_seconds=NUMBER,
                gpu_seconds=NUMBER, peak_mb=WHOLE,
            ),
        ),
        ("rejects", _rows_of(stage=TEXT, reason=TEXT, n=WHOLE)),
        (
            "metrics",
            _rows_of(model=TEXT, task=TEXT, figure=TEXT, value=NUMBER, low=NUMBER, high=NUMBER),
        ),
        ("drift", _rows_of(name=TEXT, test=TEXT, statistic=NUMBER, p=NUMBER, alarm=pa.bool_())),
        ("judged", _rows_of(name=TEXT, value=NUMBER)),
        # of the model in use, to samples without labels
        (
            "answers",
            pa.struct(
                {
                    "samples": WHOLE, "answered": WHOLE, "file": TEXT, "expected": NUMBER,
                    "usual": NUMBER, "why": TEXT,
                }
            ),
        ),
    ]
)  # fmt: skip
COUNTED = ("rows", "rejected", "computed_rows", "computed", "restored", "reused")
# Stages that decode or encode each row once; others write their tables anew.
PER_ROW = ("clean", "augment", "extract")
# What more files take more of.
COSTS = ("computed_rows", "cpu_seconds")
MEASURED = ("seconds", "cpu_seconds", "gpu_seconds")


def write_record(night: Night, now: datetime) -> dict[str, Any]:
    """Put down the row of a run in place of what stood there of it, and give it back."""
    row = _row(night, now)
    RECORDS.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist([row], schema=SCHEMA)
    with atomic_write(RECORDS / f"{night.run}.parquet") as temporary:
        pq.write_table(table, temporary, compression="zstd")
    return row


def names() -> list[str]:
    """The runs that have a record, the oldest first."""
    return sorted((path.stem for path in RECORDS.glob("[!.]*.parquet")), key=in_order)


def read_records(last: int | None = None) -> list[dict[str, Any]]:
    """The rows of all runs, or of the last so many, the oldest first.

    Raises
    ------
    PipelineError
        A record is damaged.
    """
    return [_read(name) for name in (names() if last is None else names()[-last:])]


def read_record(run: str) -> dict[str, Any]:
    """The row of one run; PipelineError if there is none of that name."""
    if run not in names():
        raise PipelineError(unknown("run", run, names()[-10:]))
    return _read(run)


def _read(run: str) -> dict[str, Any]:
    path = RECORDS / f"{run}.parquet"
    with reading(path):
        (row,) = pq.read_table(path, schema=SCHEMA, partitioning=None).to_pylist()
    return dict(row)


def _row(night: Night, now: datetime) -> dict[str, Any]:
    assert night.verdict is not None
    started = datetime.fromisoformat(night.started)
    began = datetime.fromisoformat(night.began or night.started)
    stages = [*_stages(began)] if night.revision else []
    taken = [delivery for delivery in night.deliveries if delivery.fate != "left"]
    return {
        "run": night.run,
        "started": started,
        "ended": now,
        "outcome": night.verdict.outcome,
        "rule": night.verdict.rule,
        "why": night.verdict.why,
        "base": night.base,
        "revision": night.revision or None,
        "tag": tag_of(night.run) if night.revision else None,
        "lock": digest_file(LOCK) if LOCK.is_file() else None,
        "landed_files": sum(delivery.files for delivery in taken),
        "landed_bytes": sum(delivery.bytes for delivery in taken),
        "computed_rows": sum(
            stage["computed_rows"] for stage in stages if stage["stage"].split("/")[0] in PER_ROW
        ),
        # A clock may be set back meanwhile.
        "seconds": max((now - started).total_seconds(), 0.0),
        "cpu_seconds": sum(stage["cpu_seconds"] for stage in stages),
        "gpu_seconds": sum(stage["gpu_seconds"] for stage in stages),
        "landings": [vars(delivery) for delivery in night.deliveries],
        "left": [{"landing": name, "why": why} for name, why in night.left.items()],
        "stages": stages,
        "rejects": [
            {"stage": stage["stage"], "reason": reason, "n": n}
            for stage in stages
            for reason, n in stage["reasons"].items()
        ],
        "metrics": [*_metrics()] if night.revision else [],
        "drift": night.drift,
        "judged": [{"name": name, "value": value} for name, value in night.verdict.figures.items()],
        "answers": vars(night.answers) if night.answers else None,
    }


def _stages(started: datetime) -> Iterator[dict[str, Any]]:
    """What ran since, by the records that stages keep of their runs."""
    for path in sorted(run_record.FOLDER.glob("*.jsonl")):
        for run in run_record.records(path.stem.replace("@", "/")):
            if datetime.fromisoformat(run["started"]) >= started:
                yield {
                    "stage": run["stage"],
                    "outcome": run_record.outcome(run),
                    "reasons": run.get("reasons", {}),
                    "peak_mb": int(run.get("peak_mb", 0)),
                    **{name: int(run.get(name, 0)) for name in COUNTED},
                    **{name: float(run.get(name, 0.0)) for name in MEASURED},
                }


def _metrics() -> Iterator[dict[str, Any]]:
    """The figures of every model on the test split, with their intervals."""
    for folder in sorted(Path(DATA, EVALUATION).glob("[!.]*")):
        for row in read_rows(folder):
            if row["split"] == "test":
                yield {
                    "model": folder.name,
                    "task": row["task"],
                    "figure": row["figure"],
                    **{name: _number(row[name]) for name in ("value", "low", "high")},
                }


def _number(text: str) -> float | None:
    number = parse_number(text)
    return None if number is None else float(number)


def costs_per_file(rows: Iterable[dict[str, Any]]) -> dict[str, float] | None:
    """By `COSTS`, a file that landed, by the runs that had some; None before there are any."""
    paid = [row for row in rows if row["landed_files"]]
    files = sum(row["landed_files"] for row in paid)
    return {name: sum(row[name] for row in paid) / files for name in COSTS} if files else None
