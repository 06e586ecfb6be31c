"""SQL over a store, through DuckDB: it may read what the store holds, and nothing else.

A query is one SELECT, in a database of its own without access to files (but for the store's parts,
by name), to Python's variables, to extensions or to its own settings.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

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


@contextmanager
def database(
    files: Iterable[Path] = (), tables: Mapping[str, pa.Table] | None = None
) -> Iterator[Any]:
    """A DuckDB connection that may read these files and tables, and nothing else.

    What goes wrong in a query inside the block is raised as a PipelineError in DuckDB's words.
    """
    import duckdb

    connection = duckdb.connect()
    try:
        allowed = ", ".join(text(str(path)) for path in files)
        connection.execute(f"SET allowed_paths = [{allowed}]")
        for name, table in (tables or {}).items():
            connection.register(name, table)
        for setting in SETTINGS:
            connection.execute(setting)
        yield connection
    except duckdb.OutOfMemoryException as error:
        raise PipelineError(
            f"the result is larger than memory: ask for fewer rows or columns, or take it in "
            f"pieces. DuckDB says: {_first_line(error)}"
        ) from None
    except duckdb.Error as error:
        raise PipelineError(f"this SQL cannot be answered: {_first_line(error)}") from None
    finally:
        connection.close()


def check_reads(query: str) -> None:
    """Let through one SELECT and nothing else.

    Raises
    ------
    PipelineError
        It is no SQL, more than one statement, or would change something.
    """
    kinds, _ = _parsed(query)
    if len(kinds) != 1 or kinds[0] != "SELECT":
        raise PipelineError(
            f"a store answers one SELECT and changes nothing; this is {', '.join(kinds) or 'empty'}"
        )


def matching(rows: pa.Table, where: str) -> np.ndarray:
    """Places of the rows of a table for which a condition holds, ascending, int64."""
    import numpy as np
    import pyarrow as pa

    columns_of(where)
    query = f"SELECT {ROW} FROM rows WHERE ({where}\n) ORDER BY {ROW}"
    numbered = rows.append_column(ROW, pa.array(np.arange(rows.num_rows)))
    with database(tables={"rows": numbered}) as connection:
        found: np.ndarray = connection.execute(query).fetchnumpy()[ROW]
    return found


def columns_of(where: str) -> set[str]:
    """Names that a condition mentions: of `target.category`, the first.

    Raises
    ------
    PipelineError
        It is no condition.
    """
    query = f"SELECT 1 WHERE ({where}\n)"
    check_reads(query)
    node = json.loads(_parsed(query)[1])["statements"][0]["node"]
    if node["type"] != "SELECT_NODE" or node["from_table"]["type"] != "EMPTY":
        raise PipelineError(f"this is more than a condition in SQL: {where}")
    return set(_references(node["where_clause"]))


@functools.lru_cache(maxsize=256)
def _parsed(query: str) -> tuple[list[str], str]:
    """The kinds of a query's statements, and the tree of a SELECT as JSON.

    Remembered, because a connection takes 12 ms and may not be kept over a fork.
    """
    import duckdb

    with duckdb.connect() as connection:
        try:
            kinds = [one.type.name for one in connection.extract_statements(query)]
            told = connection.execute("SELECT json_serialize_sql(?)", [query])
            return kinds, str(told.fetchall()[0][0])
        except duckdb.Error as error:
            raise PipelineError(f"this is no SQL: {_first_line(error)}") from None


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if node.get("class") == "COLUMN_REF":
            yield node["column_names"][0]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _references(child)


def text(value: str) -> str:
    """A string in SQL."""
    return "'" + value.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """A name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2])
