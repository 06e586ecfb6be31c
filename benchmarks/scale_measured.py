"""The figures marked M in scale.py that a minute gives: planning, ingest, manifest, pictures, DVC.

python benchmarks/scale_measured.py
"""

from __future__ import annotations

import json
import os
import resource
import secrets
import subprocess
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.files.digest import digest_bytes
from pipeline.curation.hamming import near_pairs
from pipeline.parts import manifest, tables
from pipeline.parts.fingerprint import fingerprint
from pipeline.parts.part import Entry, Row
from pipeline.parts.plan import plan_parts
from pipeline.stages.work.extract import Recipe

ABOUT = fingerprint("scale", ["pipeline.parts.part"], {})


def digest(name: object) -> str:
    return digest_bytes(str(name).encode())


def costs(make: Callable[[int], Any], n: int) -> tuple[float, float]:
    """CPU µs and bytes an item, taken one after the other, for tracing slows what it counts."""
    start = time.process_time()
    make(n)
    spent = time.process_time() - start
    tracemalloc.start()
    kept = make(n)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del kept
    return spent / n * 1e6, held / n


NAMES = [digest(i) for i in range(100_000)]


def planned(n: int) -> Any:
    """Rows as extract plans them, cut into parts; reading what they are made from is left out."""
    rows = [
        Row(
            name,
            f"{name} {name} {ABOUT.digest}",
            *("stamps", "2026-01", 5120, 1),
            Recipe(name[:32], json.dumps([{"name": "crop", "left": i, "side": 0.8}])),
        )
        for i, name in enumerate(NAMES[:n])
    ]
    return plan_parts(ABOUT, rows, 256, 2**26)


def ingested(n: int) -> Any:
    """A sample's record and its three assets', as ingest holds them, with their rows."""
    kept: list[Any] = []
    for i in range(n):
        names = {name: digest(f"{name} {i}") for name in ("image", "audio", "text")}
        records: list[dict[str, Any]] = [
            {
                "digest": names[name],
                "source": "mine",
                "batch": "2026-01",
                "size": 20_900 + i,
                "media_type": "image/png",
                "locator": f"mine/2026-01/{name}/{i}.png",
                "data": None,
            }
            for name in names
        ]
        sample = {"sample_id": f"mine/2026-01/{i}", "source": "mine", "batch": "2026-01"}
        sample |= {"group": f"g{i}", "split_given": None, "licence": None, "target.label": "x"}
        sample |= {"attributes": [("tone", "high")], **names}
        kept += [*records, *map(tables.record_row, records)]
        kept += [sample, tables.record_row(sample, sample["sample_id"])]
    return kept


def read(n: int) -> Any:
    """A manifest of n parts, written and read."""
    entries = [
        Entry(digest(i)[:32], "stamps", "2026-01", 0, 256, 0, 1310720, digest(-i)) for i in range(n)
    ]
    with tempfile.TemporaryDirectory() as folder:
        manifest.write_manifest(Path(folder), "clean", entries, ABOUT)
        print(f"manifest {(Path(folder) / manifest.MANIFEST).stat().st_size / n:.0f} bytes a part")
        start = time.process_time()
        manifest.read_manifest(Path(folder))
        print(f"manifest read {(time.process_time() - start) / n * 1e6:.1f} µs a part")


def versioned(n: int) -> None:
    """`dvc add` and `dvc status` of n files of 2 kB, and of 100."""
    with tempfile.TemporaryDirectory() as folder:

        def call(*command: str) -> float:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

        call("git", "init", "--quiet")
        call("dvc", "init", "--quiet")
        spent = {}
        for count in (100, n):
            out = Path(folder, f"of-{count}")
            out.mkdir()
            for _ in range(count):
                (out / secrets.token_hex(16)).write_bytes(os.urandom(2000))
            added = call("dvc", "add", "--quiet", out.name)
            spent[count] = added, call("dvc", "status", "--quiet", f"{out.name}.dvc")
        for what, few, many in zip(("add", "status"), spent[100], spent[n], strict=True):
            print(f"dvc {what} {(many - few) / (n - 100) * 1e3:.3f} ms a file, {few:.2f} s at 100")


def main() -> None:
    for make, n in ((planned, 100_000), (ingested, 10_000)):
        spent, held = costs(make, n)
        print(f"{make.__name__} {spent:.1f} µs and {held:.0f} bytes each")
    read(100_000)
    hashes = np.sort(np.random.default_rng(0).integers(0, 2**64, 200_000, dtype=np.uint64))
    for step in (2, 1):
        start = time.process_time()
        near_pairs(hashes[::step], 10)
        spent = time.process_time() - start
        print(f"near pairs of {len(hashes) // step:,} hashes {spent:.1f} s")
    versioned(10_000)


if __name__ == "__main__":
    main()
