"""Params → a plain mapping in which every option stands, given or not."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel

from pipeline.params.sections import Params

# What changes no output of a stage.
BESIDE = ("execution", "monitoring", "contract", "handover")


def resolved(params: Params) -> dict[str, Any]:
    """JSON-able, by section; tasks of models are of the kind that their target has.

    What changes no output is left out.
    """
    document = {
        field.name: _plain(getattr(params, field.name))
        for field in fields(params)
        if field.name not in BESIDE
    }
    for name, model in params.models.items():
        document["models"][name] = _plain(model.as_kinds(params.targets))
    return document


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value):
        section = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        # A plug-in's options stand beside those of its section, as in params.yaml.
        return section.pop("options", {}) | section
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, tuple) else value
