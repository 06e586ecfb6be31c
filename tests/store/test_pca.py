from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import PipelineError
from pipeline.store import open_store
from pipeline.store import pca as module
from pipeline.store.pca import principal_components
from tests.store.small import small

__all__ = ["small"]


@pytest.mark.parametrize("block", [1, 2**24])
def test_it_is_the_projection_of_a_singular_value_decomposition(
    small: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", block)
    look = open_store(small)["look"]
    values = look.to_numpy().astype(np.float64)
    values -= values.mean(0)
    left, scale, _ = np.linalg.svd(values, full_matrices=False)
    result = principal_components(look)
    assert np.abs(result) == pytest.approx(np.abs(left[:, :2] * scale[:2]), abs=1e-9)
    assert principal_components(open_store(small)["sound"]).shape[1] == 2


def test_what_makes_no_map_is_told(small: Path) -> None:
    with pytest.raises(PipelineError, match="0 rows of 5 values"):
        principal_components(open_store(small)["look"], where="false")
