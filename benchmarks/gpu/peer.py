"""The same pictures by Ray Data's `map_batches`, as its guide to batch inference has it.

A task decodes, an actor holds the network on the card, rows are written as Parquet.
https://docs.ray.io/en/latest/data/batch_inference.html
"""

from __future__ import annotations

import importlib.util
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gpu import ours, stage
from benchmarks.gpu.step import Setting, lite0, ray_with_a_gpu, run


class Embedder:
    """An actor of `map_batches`; it writes down when it had done each batch."""

    def __init__(self, setting: Setting, size: int, trace: Path) -> None:
        import torch

        self._trace = trace
        self._device = torch.device(setting.device)
        self._network = lite0(setting, setting.precisions[-1], size)._run.network

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        import torch

        with torch.inference_mode():
            pixels = torch.as_tensor(batch["picture"], device=self._device)
            vectors = self._network(pixels, torch.tensor(0)).float().cpu().numpy()
        with self._trace.open("a") as file:
            file.write(f"{len(vectors)} {time.time()}\n")
        return {"digest": batch["digest"], "vector": vectors}


def prepare(batch: dict[str, Any]) -> dict[str, Any]:
    from pipeline.encoders import efficientnet_lite0
    from pipeline.modalities.image.content import unpack

    pictures = [unpack(*one) for one in zip(batch["data"], batch["shape"], strict=True)]
    squares = efficientnet_lite0.prepare(pictures, efficientnet_lite0.Options())
    return {"digest": batch["digest"], "picture": np.stack(squares)}


def measure(setting: Setting) -> dict[str, Any]:
    missing = [name for name in ("ray", "pandas") if importlib.util.find_spec(name) is None]
    if missing:
        return {"left out": f"Ray Data needs {' and '.join(missing)}: pip install ray pandas"}
    from ray.data import ActorPoolStrategy, DataContext, read_parquet

    count = ours.REHEARSED if setting.quick else ours.ROWS["lite0"]
    rows = stage.rows_of(setting, "lite0", count)
    clean = stage.work_of(setting, "lite0").clean
    files = [str(clean / f"{name}.parquet") for name in {row.spec.clean_part for row in rows}]
    out = (setting.work / "ray-data").absolute()
    shutil.rmtree(out, ignore_errors=True)
    trace = (setting.work / "ray-data.trace").absolute()
    trace.unlink(missing_ok=True)
    size = 4 if setting.quick else 256
    with ray_with_a_gpu(setting):
        DataContext.get_current().enable_progress_bars = False
        table = read_parquet(files).select_columns(["digest", "shape", "data"])
        table = table.map_batches(prepare, batch_size=size)
        table = table.map_batches(
            Embedder,
            fn_constructor_args=(setting, size, trace),
            batch_size=size,
            num_gpus=1,
            compute=ActorPoolStrategy(size=1),
        )
        table.write_parquet(str(out))
    batches = [line.split() for line in trace.read_text().splitlines()]
    return {"rows/s": rate([(int(rows), float(ended)) for rows, ended in batches])}


def rate(batches: list[tuple[int, float]]) -> float:
    """Rows a second of the last three quarters: of each batch its rows, and when it was done."""
    counts = np.cumsum([rows for rows, _ in batches])
    first = int((counts < counts[-1] / 4).sum())
    return float((counts[-1] - counts[first]) / (batches[-1][1] - batches[first][1]))


if __name__ == "__main__":
    run(measure)
