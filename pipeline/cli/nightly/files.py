"""params.yaml and nightly.yaml, as every command of nights needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.nightly.options import NightlyOptions
    from pipeline.params import Params


def loaded() -> tuple[Params, NightlyOptions]:
    """Both; PipelineError with what is wrong in them."""
    from pipeline.nightly.options import load_options
    from pipeline.params import load

    params = load()
    return params, load_options(params)
