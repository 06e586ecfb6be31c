"""A small params.yaml for tests: the options that a test names, defaults for the rest."""

from __future__ import annotations

from typing import Any

from pipeline.params import Params, parse

# What most tests put holds some modalities alone, and files beside them.
LENIENT = {"optional": ["audio", "image", "text"], "unused_limit": 1.0}


def recipe(**sections: Any) -> Params:
    """Params of three modalities and one folder source, changed by whole sections."""
    return parse(
        {
            "seed": 0,
            "parts": {"mean_rows": 4, "max_bytes": 1 << 20},
            "sources": {"mine": {"kind": "folder"}},
            "modalities": ["audio", "image", "text"],
            **sections,
            "ingest": {"reject_limit": 1.0, **LENIENT, **sections.get("ingest", {})},
        }
    )
