"""What a model costs where it runs: time and memory, which depend on the machine."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from pipeline.core.machine.peak_memory import peak_mb
from pipeline.models.examples import Examples, FeatureSpec
from pipeline.models.prediction import predict
from pipeline.models.saving import TrainedModel, load_model

# Single samples that are timed, and passes over all of them.
SINGLES, PASSES = 200, 5


def speed(model: TrainedModel, examples: Examples) -> dict[str, float]:
    """Milliseconds that one sample takes, in the median, and samples a second of a batch.

    From features, by as many threads as the libraries now have.
    """
    rows = np.arange(min(len(examples), SINGLES))
    singles = [examples.take(rows[i : i + 1]) for i in rows]
    predict(model.network, examples, model.priors)  # what is loaded late is loaded now
    took = [_seconds(model, single) for single in singles]
    batch = min(_seconds(model, examples) for _ in range(PASSES))
    return {
        "one_ms": round(1000 * median(took), 4),
        "samples_per_second": round(len(examples) / batch, 1),
    }


def memory(folder: Path) -> dict[str, float]:
    """Of a process that loads the model and answers once: seconds until then, and MB at most."""
    code = (
        "import sys; from pathlib import Path; "
        "from pipeline.models.compression.measure import answer_once; "
        "print(answer_once(Path(sys.argv[1])))"
    )
    began = time.perf_counter()
    told = subprocess.run(
        [sys.executable, "-c", code, str(folder)], check=True, capture_output=True, text=True
    )
    return {"cold_s": round(time.perf_counter() - began, 3), "peak_mb": int(told.stdout)}


def answer_once(folder: Path) -> int:
    """Load a model, let it answer an example of zeros, and say what memory that took, in MB."""
    model = load_model(folder, refused=True)
    predict(model.network, _zeros(model.sets), model.priors)
    return peak_mb()


def _zeros(sets: Sequence[FeatureSpec]) -> Examples:
    name: Any = np.array(["zeros"])
    return Examples(
        tuple(sets),
        {spec.name: np.zeros((1, 1, *spec.shape), np.float32) for spec in sets},
        {spec.name: np.ones((1, 1), np.int32) for spec in sets},
        np.ones((1, len(sets)), bool),
        {},
        name,
        name,
    )


def _seconds(model: TrainedModel, examples: Examples) -> float:
    began = time.perf_counter()
    predict(model.network, examples, model.priors)
    return time.perf_counter() - began
