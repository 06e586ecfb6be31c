"""Raw inputs → answers of a trained model: `Predictor`, imported when it is asked for.

NumPy is loaded only then, by a process that must know its instruction set before: see
`pipeline.core.machine.environment`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.inference.predictor import Predictions as Predictions
    from pipeline.inference.predictor import Predictor as Predictor
    from pipeline.inference.samples import Sample as Sample

_MODULES = {"Predictor": "predictor", "Predictions": "predictor", "Sample": "samples"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
