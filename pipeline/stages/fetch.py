"""A source that can fetch itself → its batch below data/raw/<source>."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.options import Options
from pipeline.parts import locked
from pipeline.registry import load


def run(root: Path, name: str, kind: str, options: Options) -> None:
    """Fetch one source into <root>/raw/<name>, or leave what is there complete as it is.

    Raises
    ------
    PipelineError
        Sources of this kind cannot fetch themselves, or nothing can be had.
    """
    source = load("sources", kind)
    if not hasattr(source, "fetch"):
        raise PipelineError(
            f"the source '{name}' cannot fetch itself: sources of kind {kind} are put at "
            f"{root / 'raw' / name}/<batch>/ by hand. Remove {name} from `fetch` in params.yaml."
        )
    folder = root / "raw" / name
    with locked(folder):
        source.fetch(folder, options)
