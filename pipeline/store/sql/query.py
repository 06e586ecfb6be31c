"""SQL over a store, through DuckDB: it may read what the store holds, and nothing else.

A query is one SELECT, in a database of its own without access to files (but for the store's parts,
by name), to Python's variables, to extensions or to its own settings. `database` alone opens one,
and locks it before it sees a word of the query. Time, memory, space on disk and rows are bounded.
"""

from __future__ import annotations

import functools
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import numpy as np
import pyarrow as pa

from pipeline.core.errors import PipelineError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

T = TypeVar("T")
ROW = "row"
# Later ones end what can be changed.
SETTINGS = (
    "SET python_enable_replacements = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET enable_progress_bar = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)
# What may stand in FROM beside tables. Others read files, take addresses in memory (`arrow_scan`),
# run text as SQL, or change settings that the lock does not hold (`enable_logging`).
TABLE_FUNCTIONS = frozenset(
    {"generate_series", "json_each", "json_tree", "range", "repeat", "repeat_row", "unnest"}
)
# Seconds that a query is given to end once it is told to. Between two rows it does at once; one
# call of a function, however long, is not cut.
GRACE = 2.0


@dataclass(frozen=True)
class Limits:
    """What a query may take. A result with more rows is an error, and never cut in silence.

    Parameters
    ----------
    seconds:
        Time in which DuckDB works; what the caller does between two batches does not count.
    memory_gb:
        Gigabytes (10⁹ bytes) that DuckDB holds at once; four times that may go to a temporary
        folder.
    rows:
        Rows of the result.
    """

    seconds: float = 300.0
    memory_gb: float = 4.0
    rows: int = 1_000_000


class Database:
    """A locked connection, whose calls end in time, and with Ctrl-C."""

    def __init__(self, connection: DuckDBPyConnection, limits: Limits) -> None:
        self.connection, self.limits = connection, limits
        self._left = limits.seconds
        self.stuck = False

    def run(self, call: Callable[[DuckDBPyConnection], T]) -> T:
        """What a call with the connection returns.

        It runs in a thread of its own, for DuckDB looks out for neither time nor signals.

        Raises
        ------
        PipelineError
            The time is up.
        """
        outcome: Future[T] = Future()
        Thread(target=_run_into, args=(outcome, call, self.connection), daemon=True).start()
        started = time.monotonic()
        try:
            done, _ = wait([outcome], self._left)
        finally:
            self._left -= time.monotonic() - started
            self._stop(outcome)
        if not done:
            raise PipelineError(
                f"the query took longer than {self.limits.seconds:g} s: ask for less, or allow "
                f"more seconds"
            )
        return outcome.result()

    def _stop(self, outcome: Future[Any]) -> None:
        until = time.monotonic() + GRACE
        while not outcome.done() and time.monotonic() < until:
            self.connection.interrupt()
            wait([outcome], 0.05)
        self.stuck = not outcome.done()


def _run_into(
    outcome: Future[T], call: Callable[[DuckDBPyConnection], T], connection: DuckDBPyConnection
) -> None:
    try:
        outcome.set_result(call(connection))
    except BaseException as error:
        outcome.set_exception(error)


@contextmanager
def database(
    files: Iterable[Path] = (),
    tables: Mapping[str, pa.Table] | None = None,
    limits: Limits | None = None,
) -> Iterator[Database]:
    """A DuckDB connection that may read these files and tables, and nothing else.

    What goes wrong in a query inside the block is raised as a PipelineError in DuckDB's words.
    """
    import duckdb

    limits = limits or Limits()
    connection = duckdb.connect()
    locked = Database(connection, limits)
    try:
        allowed = ", ".join(sql_string(str(path)) for path in files)
        connection.execute(f"SET allowed_paths = [{allowed}]")
        # DuckDB makes the folder when it needs it, and removes it at the end.
        spilt = Path(tempfile.gettempdir(), f"pipeline-sql-{uuid4().hex}")
        connection.execute(f"SET temp_directory = {sql_string(str(spilt))}")
        connection.execute(f"SET max_temp_directory_size = '{4 * limits.memory_gb}GB'")
        connection.execute(f"SET memory_limit = '{limits.memory_gb}GB'")
        for name, table in (tables or {}).items():
            connection.register(name, table)
        for setting in SETTINGS:
            connection.execute(setting)
        yield locked
    except duckdb.OutOfMemoryException as error:
        raise PipelineError(
            f"the query needs more than {limits.memory_gb:g} GB of memory: ask for fewer rows or "
            f"columns, or allow more memory. DuckDB says: {_first_line(error)}"
        ) from None
    except (duckdb.Error, pa.ArrowException) as error:
        raise PipelineError(f"this SQL cannot be answered: {_first_line(error)}") from None
    finally:
        # One that is stuck in a call would not close before that ends.
        if not locked.stuck:
            connection.close()


def tables_of(query: str) -> set[str]:
    """Names of the tables that a query reads, which is one SELECT and nothing else.

    Raises
    ------
    PipelineError
        It is no SQL, more than one statement, would change something, or reads by a function that
        is none of `TABLE_FUNCTIONS`.
    """
    _parse(query)
    with database() as opened:
        return opened.run(lambda c: c.get_table_names(query))


def matching(rows: pa.Table, where: str) -> np.ndarray:
    """Places of the rows of a table for which a condition holds, ascending, int64."""

    columns_of(where)
    query = f"SELECT {ROW} FROM rows WHERE ({where}\n) ORDER BY {ROW}"
    numbered = rows.append_column(ROW, pa.array(np.arange(rows.num_rows)))
    with database(tables={"rows": numbered}) as opened:
        places: np.ndarray = opened.run(lambda c: c.execute(query).fetchnumpy())[ROW]
    return places


def columns_of(where: str) -> frozenset[str]:
    """Names that a condition mentions: of `target.category`, the first.

    Raises
    ------
    PipelineError
        It is no condition, or asks for columns otherwise than by name.
    """
    select = _parse(f"SELECT 1 WHERE ({where}\n)")
    if select["type"] != "SELECT_NODE" or select["from_table"]["type"] != "EMPTY":
        raise PipelineError(f"this is more than a condition in SQL: {where}")
    condition = list(_nodes(select["where_clause"]))
    if any(child.get("class") in ("STAR", "POSITIONAL_REFERENCE") for child in condition):
        raise PipelineError(
            f"a condition calls columns by their names, which this does not: {where}"
        )
    named = (child for child in condition if child.get("class") == "COLUMN_REF")
    return frozenset(child["column_names"][0] for child in named)


@functools.lru_cache(maxsize=256)
def _parse(query: str) -> Mapping[str, Any]:
    """The syntax tree of one SELECT, as DuckDB writes it.

    Remembered, because a connection takes 12 ms and may not be kept over a fork.
    """
    import duckdb

    with database() as opened:
        try:
            query.encode()
            kinds = [
                statement.type.name for statement in opened.connection.extract_statements(query)
            ]
        except (duckdb.Error, UnicodeEncodeError) as error:
            raise PipelineError(f"this is no SQL: {_first_line(error)}") from None
        if kinds != ["SELECT"]:
            found_kinds = ", ".join(kinds) or "empty"
            raise PipelineError(
                f"a store answers one SELECT and changes nothing; this is {found_kinds}"
            )
        serialized = opened.connection.execute("SELECT json_serialize_sql(?)", [query]).fetchall()
        try:
            document = json.loads(serialized[0][0])
        except RecursionError:
            raise PipelineError("this SQL cannot be answered: it is nested too deep") from None
        if document["error"]:
            raise PipelineError(f"this SQL cannot be answered: {document['error_message']}")
        (statement,) = document["statements"]
        for node in _nodes(statement):
            if node.get("type") == "TABLE_FUNCTION":
                _check_function(node["function"]["function_name"])
        tree: Mapping[str, Any] = statement["node"]
        return tree


def _check_function(name: str) -> None:
    if name.lower() not in TABLE_FUNCTIONS:
        allowed = ", ".join(sorted(TABLE_FUNCTIONS))
        raise PipelineError(
            f"this SQL cannot be answered: FROM takes tables and {allowed}, not {name}()"
        )


def _nodes(tree: Any) -> Iterator[Mapping[str, Any]]:
    """Every node of a syntax tree."""
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for child in tree:
            yield from _nodes(child)


def sql_string(value: str) -> str:
    """A string in SQL."""
    return "'" + value.replace("'", "''") + "'"


def sql_identifier(name: str) -> str:
    """A name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2])
