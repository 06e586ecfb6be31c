"""Which batches below the raw root DVC keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path


def untracked(raw: Path, sources: Iterable[str], fetched: Mapping[str, str]) -> list[Path]:
    """The folders of batches of which DVC keeps no copy, so that an earlier revision lacks them.

    DVC keeps a folder where a .dvc file names it or one above it, and what a stage fetches.

    Parameters
    ----------
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
    return batches


def warning(batches: Iterable[Path]) -> str:
    """What to say of them, a line each; empty where there is none."""
    return "\n".join(
        f"{batch}: DVC keeps no copy of this batch, so a later change of it is lost to earlier "
        f"revisions; `dvc add {batch}` keeps one"
        for batch in batches
    )
