"""Multimodal batch pipeline: raw media in, versioned features, models and reports out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.inference.predictor import Predictor as Predictor
    from pipeline.inference.samples import Sample as Sample

_OFFERED = ("Predictor", "Sample")


def __getattr__(name: str) -> Any:
    """`Predictor` and `Sample`, imported when they are asked for.

    Where NumPy is not loaded yet, the process is put under the instruction set by which features
    are made (see `pipeline.core.machine.environment`): that of the params.yaml that is here.
    """
    if name not in _OFFERED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # By name, so that no key of a stage knows what is imported here.
    if "numpy" not in sys.modules:
        machine = _module("pipeline.core.machine.environment")
        machine.establish(machine.stated_instructions())
    return getattr(_module("pipeline.inference"), name)


def _module(name: str) -> Any:
    import importlib

    return importlib.import_module(name)
