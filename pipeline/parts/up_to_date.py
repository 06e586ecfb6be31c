"""Remember that a stage has nothing to do.

A stage is done if what it is made from has not changed since it last ran, what it wrote still
stands, and no row waits to be tried again. To find this by the rows costs reading them. The memory
is local and may be deleted at any time: the stage then runs again and finds or writes the same.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from pipeline.core.errors import PipelineError
from pipeline.core.files.atomic import atomic_write
from pipeline.core.files.digest_cache import digests_of, open_digest_cache
from pipeline.core.files.documents import document
from pipeline.parts.summary import Summary

S = TypeVar("S", bound=Summary)
FOLDER = Path(".pipeline", "done")


@dataclass(frozen=True)
class Done:
    """What is remembered: path → MD5 of the files in `outs`, and what the stage would say."""

    key: str
    outs: dict[str, str]
    summary: dict[str, Any]


def skip_if_up_to_date(
    stage: str, key: str, outs: Sequence[Path], work: Callable[[], S]
) -> S | Summary:
    """Do the work, or find it done.

    Parameters
    ----------
    key:
        Digest of all that the stage is made from, its function included; empty if it has none.
    outs:
        The files and directories that it writes.
    """
    if not key:
        return work()
    unchanged = is_up_to_date(stage, key, outs)
    if unchanged is not None:
        return unchanged
    summary = work()
    if summary.provisional:
        return summary
    next_summary = Summary(
        planned=summary.planned,
        reused=summary.planned,
        rows=summary.rows,
        rejected=summary.rejected,
        reasons=summary.reasons,
    )
    memory = _memory(stage)
    memory.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(memory) as temporary:
        record = {"key": key, "outs": _md5s(stage, outs), "summary": asdict(next_summary)}
        temporary.write_text(json.dumps(record))
    return summary


def is_up_to_date(stage: str, key: str, outs: Sequence[Path]) -> Summary | None:
    """What the stage would say, if it has nothing to do."""
    try:
        before = document(_memory(stage), Done)
        same = before.key == key and before.outs == _md5s(stage, outs)
        return Summary(**before.summary) if same else None
    except (PipelineError, OSError, TypeError):
        return None


def recorded_outs() -> dict[str, str]:
    """Path → MD5 of all files that stages have left, each when it last had work."""
    md5s: dict[str, str] = {}
    for path in sorted(FOLDER.glob("*.json")):
        with contextlib.suppress(PipelineError, OSError):
            md5s |= document(path, Done).outs
    return md5s


def _memory(stage: str) -> Path:
    return FOLDER / f"{stage.replace('/', '@')}.json"


def _md5s(stage: str, outs: Sequence[Path]) -> dict[str, str]:
    """Read again only where size or time changed, as DVC does to outputs that it puts in place."""
    files = [
        path
        for out in outs
        for path in ([out] if out.is_file() else sorted(out.rglob("*")))
        if path.is_file() and path.name != ".gitignore"
    ]
    with open_digest_cache(digests_of(Path("done", stage)), "md5") as digests:
        return {path.as_posix(): digests.file(path) for path in files}
