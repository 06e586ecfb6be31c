"""A source that can fetch itself → its batch below data/raw/<source>."""

from __future__ import annotations

from pathlib import Path

from pipeline.params import Params
from pipeline.parts import Summary, locked
from pipeline.registry import load


def run(params: Params, name: str, root: Path = Path("data")) -> Summary:
    """Fetch one source into <root>/raw/<name>, or leave what is there complete as it is.

    Raises
    ------
    PipelineError
        Another process fetches, or nothing can be had.
    """
    folder = root / "raw" / name
    with locked(folder):
        fetched = load("sources", params.sources[name].kind).fetch(folder, params.fetch[name])
    return Summary(planned=1, computed=int(fetched), reused=int(not fetched))
