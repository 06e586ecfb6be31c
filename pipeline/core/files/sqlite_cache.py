"""A table that outlasts a run and may be lost at any time: it saves work, and nothing needs it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class SqliteCache:
    """A table of SQLite in a file of its own.

    A file that is damaged is deleted. Where it cannot be used just now (another process holds it,
    or the disk is full or cannot be written), nothing is known and nothing is kept.

    Parameters
    ----------
    table:
        The statement that creates it where there is none.
    """

    path: Path
    table: str

    def load(self, query: str, each: Iterable[Sequence[Any]] = ((),)) -> list[tuple[Any, ...]]:
        """The rows that a query finds, asked once for each of some parameters."""
        rows: list[tuple[Any, ...]] = []

        def ask(database: sqlite3.Connection) -> None:
            for parameters in each:
                rows.extend(database.execute(query, parameters))

        if self.path.is_file():
            self._use(ask)
        return rows

    def save(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement for each of some rows: for all or for none."""
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._use(lambda database: database.executemany(statement, rows))

    def _use(self, use: Callable[[sqlite3.Connection], object]) -> None:
        try:
            with closing(sqlite3.connect(self.path, timeout=60)) as database, database:
                database.execute(self.table)
                use(database)
        except sqlite3.OperationalError:
            pass  # not now: what another process holds or the disk refuses may be whole
        except sqlite3.DatabaseError:
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)
