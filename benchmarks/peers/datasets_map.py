"""Hugging Face `datasets`: Dataset.map over batches of paths, in processes of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from benchmarks.kernels import CHUNK, SETS, files, schema, table


def main(raw: Path, out: Path, workers: int) -> None:
    from datasets import Dataset, Features, disable_progress_bars

    disable_progress_bars()
    for modality in SETS:
        (out / modality).mkdir(parents=True)
        paths = Dataset.from_dict({"path": [str(path) for path in files(raw, modality)]})
        made = paths.map(
            encode,
            fn_kwargs={"modality": modality},
            batched=True,
            batch_size=CHUNK,
            writer_batch_size=CHUNK,
            num_proc=workers,
            remove_columns=["path"],
            features=Features.from_arrow_schema(schema(modality)),
            load_from_cache_file=False,
            cache_file_name=str(out / modality / "rows.arrow"),
        )
        made.to_parquet(str(out / modality / "rows.parquet"))


def encode(batch: dict[str, list[str]], modality: str) -> Any:
    return table(batch["path"], modality)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
