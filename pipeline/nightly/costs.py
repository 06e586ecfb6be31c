"""What the model in use and the challenger cost: to train, and to answer on this machine, tonight.

To answer is measured from raw files to answers, as `pipeline predict` goes: both models answer the
same few samples in turns, and of each the fastest round counts, since whatever else the machine
does can only make one slower.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.core.folders import CURATED, DATA
from pipeline.execution.run_record import last_made
from pipeline.inference.predictor import Predictor
from pipeline.inference.samples import Sample
from pipeline.monitoring.gate import Costs
from pipeline.nightly.raw_samples import raw_samples
from pipeline.nightly.record import read_records
from pipeline.params import Params
from pipeline.params.aliases import Alias
from pipeline.parts import manifest

logger = logging.getLogger(__name__)
SAMPLES, ROUNDS = 8, 3


def costs(params: Params, model: str, champion: Alias) -> tuple[Costs, Costs]:
    """Of the model in use and of the challenger that stands in the work tree."""
    before, after = _latencies(params, model, champion)
    return (
        Costs(before, _past_training_seconds(champion)),
        Costs(after, last_made(f"train/{model}").get("cpu_seconds")),
    )


def _latencies(params: Params, model: str, champion: Alias) -> tuple[float | None, float | None]:
    """Milliseconds a sample; unknown of both if one cannot be asked, of which the log tells."""
    curated = manifest.read(Path(DATA, CURATED), ["sample_id", "split"]).to_pylist()
    ids = sorted(row["sample_id"] for row in curated if row["split"] == "test")[:SAMPLES]
    try:
        predictors = (
            Predictor.load(Path(), champion.model, champion.revision),
            Predictor.load(Path(), model),
        )
        samples = [*raw_samples(params, ids)]
        first, second = fastest([p.predict for p in predictors], samples, time.perf_counter)
    except PipelineError as error:
        logger.warning("what the models take to answer is not known: %s", error)
        return None, None
    return first, second


def fastest(
    answers: Sequence[Callable[[Sequence[Sample]], object]],
    samples: Sequence[Sample],
    clock: Callable[[], float],
) -> list[float]:
    """Milliseconds a sample of each, of ROUNDS in turns after one that loads what is needed."""
    times: list[list[float]] = [[] for _ in answers]
    for _ in range(1 + ROUNDS):
        for taken, answer in zip(times, answers, strict=True):
            start = clock()
            answer(samples)
            taken.append(1000 * (clock() - start) / len(samples))
    return [min(taken[1:]) for taken in times]


def _past_training_seconds(champion: Alias) -> float | None:
    """What the model in use took to train, if the night that trained it is recorded."""
    for record in read_records():
        if record["revision"] == champion.revision:
            for stage in record["stages"] or ():
                if stage["stage"] == f"train/{champion.model}" and stage["computed"]:
                    return float(stage["cpu_seconds"])
    return None
