"""Which batches below the raw root DVC keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path


def untracked(raw: Path, sources: Iterable[str], fetched: Mapping[str, str]) -> list[str]:
    """A line for each batch of which DVC keeps no copy, so that an earlier revision lacks it.

    DVC keeps a folder where a .dvc file names it or one above it, and what a stage fetches.

    Parameters
    ----------
    sources:
        Those whose batches lie below the raw root.
    fetched:
        Source → the batch that its fetch stage brings.
    """
    batches = []
    for source in sorted(sources):
        folder = raw / source
        if any(Path(f"{path}.dvc").is_file() for path in (raw, folder)):
            continue
        batches += [
            path
            for path in sorted(folder.glob("[!.]*"))
            if path.is_dir()
            and path.name != fetched.get(source)
            and not Path(f"{path}.dvc").is_file()
        ]
    return [
        f"{batch}: DVC keeps no copy of this batch, and once it changes no earlier revision has "
        f"it: `dvc add {batch}` keeps one"
        for batch in batches
    ]
