"""How much of the card arrives: the encoder, and whole extract stages by every executor."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.gpu.meter import watched
from benchmarks.gpu.step import Setting, lite0, run, seconds, squares, text_options, texts


def measure(setting: Setting) -> dict[str, Any]:
    from pipeline.encoders import transformer

    size = 4 if setting.quick else 256
    times = 2 if setting.quick else 20
    found: dict[str, Any] = {}
    for precision in setting.precisions:
        encoder, pictures = lite0(setting, precision, size), list(squares(size))
        spent = seconds(setting, times, encoder.encode, pictures)
        found[f"encode, lite0 {precision}"] = size / spent
        for tokens in setting.sizes([16, 64, 256], [16]):
            options = text_options(setting, precision, 256 if setting.quick else 32_768)
            reader = transformer.Encoder(options)
            rows = transformer.prepare(texts(1, tokens), options)
            rows = rows * transformer.batch(rows[0], options)[1]
            spent = seconds(setting, times, reader.encode, rows)
            found[f"encode, bert {precision} {tokens} tokens"] = len(rows) / spent
    return found | _stages(setting, size)


def _stages(setting: Setting, size: int) -> dict[str, Any]:
    """Pictures of 256² through extract, from clean parts on the disk."""
    from pipeline.encoders.efficientnet_lite0 import Options
    from pipeline.parts.serial import Serial

    count = 16 if setting.quick else 40_000
    options = Options(
        backend="torch",
        device=setting.device,
        precision=setting.precisions[-1],
        batch_size=size,
    )
    executors: dict[str, Any] = {"serial": Serial()}
    if importlib.util.find_spec("ray"):
        from pipeline.execution.ray import RayExecutor

        share = 1.0 if setting.on_card else 0.0
        executors["ray, a whole card"] = RayExecutor(2 if setting.quick else None, share)
        if share:
            executors["ray, two halves"] = RayExecutor(None, share / 2)
    found, trees = {}, set()
    for name, executor in executors.items():
        rows = min(count, 4096) if name == "serial" else count
        with watched(setting.device) as told:
            made, tree = _extract(setting, options, executor, rows)
        spent = told["seconds"]
        gpu = sum(one.gpu_seconds for one in made)
        found[f"extract, {name}"] = {
            "rows/s": rows / spent,
            "GPU by events": gpu / spent,
            "GPU by NVML": told.get("busy", 0.0),
        }
        if rows == count:
            trees.add(tree)
    found["trees"] = len(trees)
    return found


def _extract(setting: Setting, options: Any, executor: Any, count: int) -> tuple[Any, str]:
    from pipeline.core.files.digest import digest_file, digest_json
    from pipeline.parts.fingerprint import fingerprint
    from pipeline.parts.job import Job
    from pipeline.parts.plan import plan_parts
    from pipeline.stages.work.position_law import ProvenExtract

    clean, out = setting.work / "clean", setting.work / "features"
    shutil.rmtree(out, ignore_errors=True)
    rows = _clean(clean, count)
    work = ProvenExtract(
        "bench",
        "efficientnet_lite0",
        options,
        clean.absolute(),
        fingerprint("bench", ["pipeline.stages.work.extract"], {}, device=setting.device),
    )
    parts = plan_parts(work.fingerprint, rows, 256, 2**26)
    made = list(executor.run(work, [Job(part) for part in parts], out))
    tree = digest_json(
        sorted((one.entry.key, digest_file(out / f"{one.entry.key}.parquet")) for one in made)
    )
    return [one.use for one in made], tree


def _clean(folder: Path, count: int) -> list[Any]:
    """Clean parts of 256 pictures; the rows that encode them."""
    from pipeline.core.files.digest import digest_bytes
    from pipeline.core.schemas import clean_schema
    from pipeline.modalities.image.content import pack
    from pipeline.parts.part import Row, write_table
    from pipeline.stages.work.extract import Recipe

    digests = sorted(digest_bytes(str(i).encode()) for i in range(count))
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for start in range(0, count, 256):
        some, name = digests[start : start + 256], f"{count}-{start}"
        rows += [Row(one, one, "s", "b", 5120, 0, Recipe(name, "[]")) for one in some]
        path = folder / f"{name}.parquet"
        if path.exists():
            continue
        noise = np.random.default_rng(start)
        records = []
        for digest in some:
            data, shape = pack(noise.integers(0, 256, (256, 256, 3), dtype=np.uint8))
            records.append(
                {
                    "digest": digest,
                    "key": "k",
                    "content": digest,
                    "shape": list(shape),
                    "data": data,
                }
            )
        write_table(pa.Table.from_pylist(records, schema=clean_schema(pa.schema([]))), path, {})
    return rows


if __name__ == "__main__":
    run(measure)
