"""Ray Data, tuned: our kernels in actors that are fed with paths, one step, Arrow batches."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

from benchmarks.kernels import CHUNK, PARQUET, SETS, files, table


class Encode:
    """A batch of paths → their rows; the encoder is loaded once an actor."""

    def __init__(self, modality: str) -> None:
        self.modality = modality

    def __call__(self, batch: Any) -> Any:
        return table(batch["path"].to_pylist(), self.modality)


def main(raw: Path, out: Path, workers: int) -> None:
    import ray
    from ray.data import ActorPoolStrategy, DataContext

    ray.init(
        num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR
    )
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = False
    for modality in SETS:
        paths = [{"path": str(path)} for path in files(raw, modality)]
        rows = ray.data.from_items(paths, override_num_blocks=4 * workers).map_batches(
            Encode,
            fn_constructor_args=(modality,),
            batch_size=CHUNK,
            batch_format="pyarrow",
            compute=ActorPoolStrategy(size=workers),
            num_cpus=0.9,
        )
        rows.write_parquet(str(out / modality), **PARQUET, ray_remote_args={"num_cpus": 0.1})
    ray.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
