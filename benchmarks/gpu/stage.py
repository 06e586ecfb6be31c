"""Whole extract stages, from clean parts on the disk to finished parts, and what feeds them."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.gpu import traced
from benchmarks.gpu.meter import watched
from benchmarks.gpu.step import Setting, options_of, texts
from pipeline.parts.job import prepared
from pipeline.parts.part import Row

PART_ROWS = 256
MOST_ROWS = 100_000
# Encoder and modality of what is encoded.
KINDS = {
    "lite0": ("efficientnet_lite0", "image"),
    "vit": ("vision", "image"),
    "bert": ("transformer", "text"),
}
TOKENS = 64


def work_of(setting: Setting, kind: str) -> traced.Traced:
    """The stage's work, in the precision that is measured."""
    from pipeline.parts.fingerprint import fingerprint

    encoder, modality = KINDS[kind]
    options = options_of(setting, kind, setting.precisions[-1])
    return traced.Traced(
        kind,
        encoder,
        options,
        (setting.work / f"clean-{modality}").absolute(),
        fingerprint(
            f"bench/{kind}",
            ["pipeline.stages.work.extract"],
            options.model_dump(mode="json"),
            device=setting.device,
        ),
        trace=(setting.work / "trace").absolute(),
    )


def rows_of(setting: Setting, kind: str, count: int) -> list[Row]:
    """So many rows, whose clean parts are made where they do not stand yet."""
    from pipeline.core.files.digest import digest_bytes
    from pipeline.stages.work.extract import Recipe

    modality = KINDS[kind][1]
    folder = setting.work / f"clean-{modality}"
    folder.mkdir(parents=True, exist_ok=True)
    # The first of all, in their order: fewer rows are of the same parts, and these of few.
    digests = sorted(digest_bytes(str(i).encode()) for i in range(MOST_ROWS))
    rows, missing = [], []
    for start in range(0, count, PART_ROWS):
        chosen = digests[start : start + PART_ROWS]
        rows += [Row(one, one, "s", "b", 5120, 0, Recipe(str(start), "[]")) for one in chosen]
        path = folder / f"{start}.parquet"
        if not path.exists():
            missing.append((path, modality, chosen, start))
    with ThreadPoolExecutor() as threads:
        list(threads.map(lambda part: _write(*part), missing))
    return rows[:count]


def _write(path: Path, modality: str, digests: Sequence[str], seed: int) -> None:
    from pipeline.core.registry import load
    from pipeline.core.schemas import clean_schema
    from pipeline.parts.part import write_table

    pack = load(f"modalities/{modality}", "content").pack
    contents: Sequence[Any]
    if modality == "image":
        noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
        contents = [np.roll(noise, seed + place, axis=0) for place in range(len(digests))]
    else:
        contents = texts(len(digests), TOKENS, seed)
    records = []
    for digest, content in zip(digests, contents, strict=True):
        data, shape = pack(content)
        record = {"digest": digest, "key": "k", "content": digest, "shape": list(shape)}
        records.append({**record, "data": data})
    table = pa.Table.from_pylist(records, schema=clean_schema(pa.schema([])))
    write_table(table, path, {})


def feed(setting: Setting, kind: str, rows: Sequence[Row]) -> float:
    """Rows a second that all CPUs can read and prepare, from what one of them spends on a part."""
    work = work_of(setting, kind)
    prepared(work, rows[:1])
    began = time.process_time()
    for start in range(0, len(rows), PART_ROWS):
        prepared(work, rows[start : start + PART_ROWS])
    spent = time.process_time() - began
    return len(os.sched_getaffinity(0)) * len(rows) / spent


def extract(setting: Setting, kind: str, executor: Any, rows: Sequence[Row]) -> dict[str, Any]:
    """What a stage tells, in its last three quarters: before, processes start."""
    from pipeline.core.files.digest import digest_file, digest_json
    from pipeline.parts.job import Job
    from pipeline.parts.plan import plan_parts

    work, out = work_of(setting, kind), setting.work / "features"
    for folder in (out, work.trace):
        shutil.rmtree(folder, ignore_errors=True)
    work.trace.mkdir()
    parts = plan_parts(work.fingerprint, rows, 2 if setting.quick else PART_ROWS, 2**26)
    coming = executor.run(work, [Job(part) for part in parts], out)
    before = list(_until(coming, len(rows) / 4))
    with watched(setting.device) as told:
        made = list(coming)
    counted = sum(one.entry.rows for one in made)
    entries = [one.entry for one in before + made]
    tree = [(entry.key, digest_file(out / f"{entry.key}.parquet")) for entry in entries]
    return {
        "rows/s": counted / told["seconds"],
        "GPU by events": sum(one.use.gpu_seconds for one in made) / told["seconds"],
        "GPU by NVML": told.get("busy", 0.0),
        "rejected": sum(entry.rejected for entry in entries),
        "tree": digest_json(sorted(tree)),
        **traced.read(work.trace),
    }


def _until(coming: Iterator[Any], rows: float) -> Iterator[Any]:
    counted = 0
    while counted < rows:
        part = next(coming)
        counted += part.entry.rows
        yield part
