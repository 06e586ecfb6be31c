"""What row functions raised: workers hand it over with the part, the stage's process logs it.

Rejects are versioned and hold no library's text; tracebacks stand in .pipeline/logs/<stage>, a
file for each kind, with the digests of the rows concerned. It is no part of a key (see
`fingerprint.INERT`).
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.core.files.atomic import atomic_write
from pipeline.core.files.digest import digest_json
from pipeline.core.terminal import printable

FOLDER = Path(".pipeline", "logs")
# Kinds kept of a stage, the newest.
KEPT = 50
ROWS = "\nRows, by digest:\n"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception as text, since a traceback does not travel: its type and place are its kind."""

    exception: str
    place: str
    traceback: str

    @classmethod
    def of(cls, error: Exception) -> Raised:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return cls(
            type(error).__name__,
            f"{frame.filename}:{frame.lineno}",
            printable("".join(traceback.format_exception(error))),
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """The first exception of its kind, and the digests of all rows on which it was raised."""

    first: Raised
    rows: tuple[str, ...]


def by_kind(raised: Iterable[tuple[str, Raised]]) -> tuple[Failure, ...]:
    """Failures of rows, given as pairs of a row's digest and what was raised on it."""
    kinds: dict[tuple[str, str], list[tuple[str, Raised]]] = {}
    for digest, error in raised:
        kinds.setdefault((error.exception, error.place), []).append((digest, error))
    return tuple(
        Failure(pairs[0][1], tuple(digest for digest, _ in pairs)) for pairs in kinds.values()
    )


class FailureLog:
    """Logs the failures of one run of a stage: the traceback of each kind once, and every row."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._rows: dict[Path, set[str]] = {}

    def add(self, failures: Sequence[Failure]) -> None:
        for failure in failures:
            first = failure.first
            kind = digest_json([first.exception, first.place])[:12]
            path = _folder(self._stage) / f"{first.exception}-{kind}.log"
            if path not in self._rows:
                self._rows[path] = self._begin(path, first)
            added = [row for row in failure.rows if row not in self._rows[path]]
            self._rows[path].update(added)
            with path.open("a", encoding="utf-8") as file:
                file.writelines(f"{row}\n" for row in added)

    def _begin(self, path: Path, first: Raised) -> set[str]:
        """Say it, and write its file anew; gives the rows that an earlier run listed there."""
        title = f"{self._stage} raised {first.exception} at {first.place}"
        logger.warning(
            "%s; such rows are refused as `failed` and listed in %s\n%s",
            title,
            path,
            first.traceback.rstrip(),
            extra={"stage": self._stage, "file": str(path)},
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        listed = _rows_in(path) if path.is_file() else []
        time = datetime.now(UTC).isoformat(timespec="seconds")
        with atomic_write(path) as temporary:
            head = f"{title}, {time}\n\n{first.traceback}{ROWS}"
            temporary.write_text(head + "".join(f"{row}\n" for row in listed), encoding="utf-8")
        for old in _newest(self._stage)[KEPT:]:
            old.unlink(missing_ok=True)
        return set(listed)


def logs_of(stage: str, rows: Collection[str]) -> list[Path]:
    """The files, newest first, that hold the last traceback of each of these rows."""
    missing, files = set(rows), []
    for path in _newest(stage):
        listed = missing.intersection(_rows_in(path))
        if listed:
            missing -= listed
            files.append(path)
    return files


def _rows_in(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").rpartition(ROWS)[2].splitlines()


def _newest(stage: str) -> list[Path]:
    return sorted(_folder(stage).glob("*.log"), key=lambda path: -path.stat().st_mtime_ns)


def _folder(stage: str) -> Path:
    return FOLDER / stage.replace("/", "@")
