"""What SQL sees of a store: one view per feature set, and the tables that they come from.

| view | rows |
|---|---|
| each feature set, by its name | digest, key, view, length, vector, source, batch |
| samples | curated samples; `target` is a struct, `attributes` a map |
| assets | digest, modality, source, batch, size, media_type, locator |
| clean_<modality> | digest and what cleaning measured |
| predictions | of every model on every held-out sample |
| rejects | what was refused, by stage, and why |
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from pipeline.core.errors import PipelineError, unknown
from pipeline.core.folders import ASSETS, AUGMENTED, CLEAN, CURATED, EVALUATION, FEATURES
from pipeline.parts.manifest import MANIFEST, load_manifest
from pipeline.store.rejects import NamedReject, collect, reject_folders
from pipeline.store.sql.query import (
    Database,
    Limits,
    database,
    sql_identifier,
    sql_string,
    tables_of,
)
from pipeline.store.sql.samples import spread_targets
from pipeline.store.trees.tree import Tree

if TYPE_CHECKING:
    from pipeline.store.base import BaseStore

# DuckDB would list the views that a query names, and here all can be named.
SHOW_TABLES = re.compile(r"\s*show\s+tables\s*;?\s*", re.IGNORECASE)
# Rows that a stream hands on at once.
ROWS = 16_384
PREDICTIONS = "predictions.parquet"
PARTS = " parts"
# Tables that are no feature sets; what cleaning measured is named by its modality.
TABLES = ("assets", "predictions", "rejects", "samples")
CLEANED = "clean_"
# Folders with one folder per modality.
BY_MODALITY = (ASSETS, CLEAN, AUGMENTED)


@dataclass
class _View:
    """A view's definition, the files that it reads, and tables that it needs beside them."""

    sql: str = ""
    files: list[Path] = field(default_factory=list)
    tables: dict[str, pa.Table] = field(default_factory=dict)


def view_names(store: BaseStore) -> list[str]:
    """Every view of a store."""
    view_names = [*(name for name in store if not is_table(name)), "rejects"]
    tree = store.tree
    view_names += ["samples"] if tree.names(CURATED) else []
    view_names += ["assets"] if tree.names(ASSETS) else []
    view_names += [CLEANED + modality for modality in tree.names(CLEAN)]
    view_names += ["predictions"] if tree.names(EVALUATION) else []
    return sorted(view_names)


def is_table(name: str) -> bool:
    """Whether SQL means something else by a name, in which case matters not, than a feature set."""
    return name.lower() in TABLES or name.lower().startswith(CLEANED)


@contextmanager
def stream(
    store: BaseStore, query: str, limits: Limits | None = None
) -> Iterator[pa.RecordBatchReader]:
    """The result of one SELECT, batch by batch, so that it may be larger than memory.

    `SHOW TABLES` lists the views.

    Raises
    ------
    PipelineError
        It is no SELECT, names what does not exist, would read outside the store, or takes more
        than its limits. Of a result with too many rows the first are given.
    """
    if SHOW_TABLES.fullmatch(query):
        listed = pa.table({"name": view_names(store)})
        yield listed.to_reader()
        return
    views = {
        name: _view(store, name) for name in _resolve_names(tables_of(query), view_names(store))
    }
    files = [path for view in views.values() for path in view.files]
    tables = {name: table for view in views.values() for name, table in view.tables.items()}
    with database(files, tables, limits) as opened:
        for name, view in views.items():
            if view.sql:
                opened.connection.execute(f"CREATE TEMP VIEW {sql_identifier(name)} AS {view.sql}")
        reader = opened.run(lambda c: c.sql(query).to_arrow_reader(ROWS))
        yield pa.RecordBatchReader.from_batches(reader.schema, _limited(opened, reader))


def _limited(opened: Database, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """The batches of a result, up to the rows that it may have."""
    room = opened.limits.rows
    while (batch := opened.run(lambda _: next(reader, None))) is not None:
        yield batch[:room]
        room -= batch.num_rows
        if room < 0:
            raise PipelineError(
                f"the result has more than {opened.limits.rows} rows: ask for fewer (LIMIT, "
                f"WHERE), or allow more rows"
            )


def _resolve_names(mentioned: Iterable[str], available: Sequence[str]) -> list[str]:
    """The views that a query reads, as they are spelt here."""
    spelt = {name.lower(): name for name in available}
    for name in sorted(mentioned):
        if name.lower() not in spelt:
            raise PipelineError(unknown("table", name, available))
    return sorted({spelt[name.lower()] for name in mentioned})


def _view(store: BaseStore, name: str) -> _View:
    tree = store.tree
    if name == "samples":
        return _View(tables={name: spread_targets(store.samples())})
    if name == "assets":
        return _union({m: _files(tree, f"{ASSETS}/{m}") for m in tree.names(ASSETS)}, "modality")
    if name == "predictions":
        models = [m for m in tree.names(EVALUATION) if PREDICTIONS in _in(tree, m)]
        return _union({m: [tree.file(f"{EVALUATION}/{m}/{PREDICTIONS}")] for m in models}, "")
    if name == "rejects":
        return _View(tables={name: _rejects(tree)})
    if name.startswith(CLEANED):
        files = _files(tree, f"{CLEAN}/{name.removeprefix(CLEANED)}")
        return _View(f"SELECT * EXCLUDE (data) FROM {_read_parquet_sql(files)}", files)
    return _features(store, name)


def _in(tree: Tree, model: str) -> list[str]:
    return tree.names(f"{EVALUATION}/{model}")


def _features(store: BaseStore, name: str) -> _View:
    features = store[name]
    files = [features.path(entry) for entry in features.entries]
    parts = pa.table(
        {
            "filename": [str(path) for path in files],
            "source": [entry.source for entry in features.entries],
            "batch": [entry.batch for entry in features.entries],
        }
    )
    sql = (
        f"SELECT rows.* EXCLUDE (filename), parts.source, parts.batch "
        f"FROM {_read_parquet_sql(files, 'filename = true')} AS rows "
        f"JOIN {sql_identifier(name + PARTS)} AS parts USING (filename)"
    )
    return _View(sql, files, {name + PARTS: parts})


def _union(groups: dict[str, list[Path]], column: str) -> _View:
    """Files of several folders under one name, with the folder's name in a column."""
    selects = []
    for folder, files in groups.items():
        if files:
            named = f", {sql_string(folder)} AS {sql_identifier(column)}" if column else ""
            hidden = " EXCLUDE (data)" if column else ""
            selects.append(f"SELECT *{hidden}{named} FROM {_read_parquet_sql(files)}")
    if not selects:
        raise PipelineError("there are no rows of this kind yet: `dvc repro` makes them")
    files = [path for group in groups.values() for path in group]
    return _View(" UNION ALL BY NAME ".join(selects), files)


def _read_parquet_sql(files: Sequence[Path], *options: str) -> str:
    listed = ", ".join(sql_string(str(path)) for path in files)
    return f"read_parquet({', '.join([f'[{listed}]', *options])})"


def _files(tree: Tree, folder: str) -> list[Path]:
    entries = load_manifest(tree.file(f"{folder}/{MANIFEST}"))
    return [tree.file(f"{folder}/{entry.key}.parquet") for entry in entries]


def _rejects(tree: Tree) -> pa.Table:
    """Every reject of a tree."""
    modalities = {name for group in BY_MODALITY for name in tree.names(group)}
    flow = reject_folders(sorted(modalities), tree.names(FEATURES))
    rows = [asdict(reject) for reject in collect(tree, flow)]
    return pa.Table.from_pylist(
        rows, schema=pa.schema([(field.name, pa.string()) for field in fields(NamedReject)])
    )
