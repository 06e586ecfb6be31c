"""A small params.yaml for tests: the options that a test names, defaults for the rest."""

from __future__ import annotations

from typing import Any

from pipeline.params import Params, parse


def recipe(**sections: Any) -> Params:
    """Params of three modalities and one folder source, changed by whole sections."""
    return parse(
        {
            "seed": 0,
            "parts": {"mean_rows": 4, "max_bytes": 1 << 20},
            "sources": {"mine": {"kind": "folder"}},
            "modalities": ["audio", "image", "text"],
            "ingest": {"reject_limit": 1.0},
            **sections,
        }
    )
