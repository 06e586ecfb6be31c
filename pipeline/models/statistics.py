"""What a feature set looks like in training: its mean and deviation, or its words."""

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

    values = _seen(train, name)
    if len(values) == 0:
        bands = values.shape[-1]
        return np.zeros(bands), np.ones(bands)
    return values.mean(0, dtype=np.float64), values.std(0, dtype=np.float64)


def counts(train: Examples, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Distinct ids in order and how often each occurs, int64 (k,) each, over the same frames."""
    import numpy as np

    ids, count = np.unique(_seen(train, name), return_counts=True)
    return ids.astype(np.int64), count.astype(np.int64)


def _seen(train: Examples, name: str) -> np.ndarray:
    """Present rows at view 0, (k, D), or the frames within their lengths, (k, bands)."""
    import numpy as np

    column = [one.name for one in train.sets].index(name)
    rows = train.present[:, column]
    values: np.ndarray = train.values[name][0, rows]
    if values.ndim == 3:
        within = np.arange(values.shape[1]) < train.lengths[name][0, rows][:, None]
        return np.asarray(values[within])
    return values
