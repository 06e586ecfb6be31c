"""What a feature set looks like in training: mean and deviation, for towers to standardise by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.models.examples import Examples

if TYPE_CHECKING:
    import numpy as np


def statistics(train: Examples, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation a column, float64 (bands,), over view 0 where it is present.

    Of a sequence's frames, those within its length count. Zeros and ones if nothing is present.
    """
    import numpy as np

    column = [one.name for one in train.sets].index(name)
    rows = train.present[:, column]
    values = train.values[name][0, rows]
    if values.ndim == 3:
        within = np.arange(values.shape[1]) < train.lengths[name][0, rows][:, None]
        values = values[within]
    if len(values) == 0:
        bands = values.shape[-1]
        return np.zeros(bands), np.ones(bands)
    return values.mean(0, dtype=np.float64), values.std(0, dtype=np.float64)
