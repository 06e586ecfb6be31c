from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.options import Options
from pipeline.encoders import efficientnet_lite0, efficientnet_lite0_int8
from tests.encoders import examples
from tests.encoders.test_efficientnet_lite0 import pictures

NAME = "efficientnet_lite0_int8"
needs_vnni = pytest.mark.skipif(examples.missing(NAME), reason="the processor has no VNNI")


@needs_vnni
def test_features_are_near_those_in_float32_and_not_the_same() -> None:
    """Measured: cosines from 0.96 of a drawn scene to 0.99, and 0.987 on 200 pictures of stamps."""
    exact = efficientnet_lite0.Encoder(efficientnet_lite0.Options()).encode(pictures())[0]
    whole, lengths = efficientnet_lite0_int8.Encoder(Options()).encode(pictures())
    norms = np.linalg.norm(exact, axis=1) * np.linalg.norm(whole, axis=1)
    cosines = (exact * whole).sum(1) / norms
    assert cosines.min() > 0.9
    assert cosines.max() < 0.9999
    assert lengths.tolist() == [1] * len(exact)


def test_clouds_are_the_same_each_time_and_use_the_range_of_photographs() -> None:
    first, again = (list(efficientnet_lite0_int8.clouds()) for _ in range(2))
    assert len(first) == efficientnet_lite0_int8.CLOUDS
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert {each.shape for each in first} == {(224, 224, 3)}
    assert all(20 < each.std() < 90 for each in first)


def test_a_processor_that_would_overflow_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet_lite0_int8, "flags", lambda: frozenset({"avx2"}))
    monkeypatch.setattr(efficientnet_lite0_int8.platform, "machine", lambda: "x86_64")
    with pytest.raises(PipelineError, match=r"VNNI.*: use efficientnet_lite0$"):
        efficientnet_lite0_int8.Encoder(Options())
