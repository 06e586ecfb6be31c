"""The base of every set of options: frozen, unknown keys refused, ranges checked."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """Options of one function. What is in here is part of its key, so nothing else may be."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
