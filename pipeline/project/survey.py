"""What a folder of somebody's data holds, as far as its names and its table tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pipeline.core.errors import PipelineError, Rejected, unknown
from pipeline.modalities import modalities
from pipeline.raw.downloads import file_name, is_url
from pipeline.raw.folders import LocalFolder
from pipeline.raw.media_types import modality_by_name
from pipeline.raw.table_file import Table, read
from pipeline.sources.folder import SPLITS, TABLES, tables_of

SUFFIXES = tuple(PurePosixPath(name).suffix for name in TABLES)
# Share of a column's cells that name files of the folder, from which on it is taken to mean them.
NAMES_FILES = 0.9


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Parameters
    ----------
    filled, distinct:
        Cells that are not empty, and how many there are of them that differ.
    words:
        Mean number of words of a cell.
    numbers, whole:
        Whether all cells are numbers, and whether all are whole ones.
    modality:
        Of the files that the cells name, if they name files.
    urls:
        Whether they name them by URLs.
    folder:
        Folder to which the paths are relative; empty for the surveyed one.
    splits:
        Those that the cells name, if all of them do.
    split_folders:
        Folders in which all files lie that the cells name, if each is called after a split.
    """

    name: str
    filled: int
    distinct: int
    words: float = 1.0
    numbers: bool = False
    whole: bool = False
    modality: str = ""
    urls: bool = False
    folder: str = ""
    splits: Collection[str] = ()
    split_folders: Sequence[str] = ()


@dataclass(frozen=True)
class Survey:
    """A folder of data: a table with columns, or, without one, a folder for each class.

    `table` lies at its root and may be called anything; where none lies there, `split_tables` are
    those in the folders of splits, read as one; `other_tables` are not read. `classes` maps the
    names of classes to files, `media` modalities to files. `splits` are those that folders name, or
    a column in each row.
    """

    rows: int = 0
    table: str = ""
    split_tables: Sequence[str] = ()
    other_tables: Sequence[str] = ()
    splits: Collection[str] = ()
    columns: Sequence[Column] = ()
    classes: Mapping[str, int] = field(default_factory=dict)
    media: Mapping[str, int] = field(default_factory=dict)


def survey(folder: Path, table: str = "") -> Survey:
    """Look at a folder.

    Parameters
    ----------
    table:
        The table of several that the folder holds; see `table_of`.

    Raises
    ------
    PipelineError
        There is no such folder, it holds no file that could be data, or its table cannot be read.
    """
    if not folder.is_dir():
        raise PipelineError(f"there is no folder {folder}")
    local = LocalFolder(folder)
    files = local.listing.files
    name = table_of(files, table)
    places = {"": [name]} if name else tables_of(files)
    names = [name for listed in places.values() for name in listed]
    media = Counter(map(modality_by_name, files.keys() - {*names}))
    counts = {modality: media[modality] for modality in modalities() if media[modality]}
    if not names:
        classes = _classes(files)
        if not classes:
            raise PipelineError(
                f"{folder} has neither a table ({', '.join(SUFFIXES)}) that says what its files "
                f"are, nor a folder for each class{_split_tables(files)}"
            )
        splits = {
            SPLITS[top] for path in files if (top := path.partition("/")[0].lower()) in SPLITS
        }
        return Survey(sum(classes.values()), splits=splits, classes=classes, media=counts)
    tables = {place: _read(folder, local, listed) for place, listed in places.items()}
    columns = [
        _column(column, tables, files)
        for column in dict.fromkeys(name for table in tables.values() for name in table.columns)
    ]
    rows = sum(len(table.rows) for table in tables.values())
    splits = {SPLITS[place.lower().rstrip("/")] for place in tables if place}
    stated = {split for column in columns if column.filled == rows for split in column.splits}
    return Survey(
        rows,
        table=name,
        split_tables=[] if name else names,
        other_tables=[other for other in _at_root(files) if other != name],
        splits=splits | stated,
        columns=columns,
        media=counts,
    )


def _read(folder: Path, local: LocalFolder, names: Sequence[str]) -> Table:
    name = names[0]
    if len(names) > 1:
        raise PipelineError(f"{folder} has more than one of {', '.join(names)}: keep one of them")
    try:
        table = read(f"metadata{PurePosixPath(name).suffix}", local.read(name))
    except Rejected as reject:
        raise PipelineError(f"{folder / name} cannot be read: {reject.message}") from None
    if not any(row.cells for row in table.rows):
        raise PipelineError(f"{folder / name} has no row")
    return table


def table_of(files: Mapping[str, int], table: str = "") -> str:
    """The table at the root of a folder that says what its files are; empty if there is none.

    Of several it is `metadata`, else the one whose name begins with `train`, else the largest.

    Parameters
    ----------
    files:
        Path → size, of all files of the folder.
    table:
        The one to take.
    """
    tables = _at_root(files)
    if table:
        if table not in tables:
            raise PipelineError(unknown("table", table, tables))
        return table
    named = [path for path in tables if path in TABLES]
    train = [path for path in tables if path.lower().startswith("train")]
    return max(named or train or tables, key=lambda path: files[path], default="")


def _at_root(files: Iterable[str]) -> list[str]:
    return [path for path in files if "/" not in path and path.lower().endswith(SUFFIXES)]


def _split_tables(files: Iterable[str]) -> str:
    """What to do with tables that lie in the folder of a split each; empty if none does."""
    tables = sorted(
        path
        for path in files
        if path.count("/") == 1
        and path.partition("/")[0].lower() in SPLITS
        and path.lower().endswith(SUFFIXES)
    )
    if not tables:
        return ""
    return f". There are {', '.join(tables)}: those of splits are called metadata.csv or the like"


def _classes(files: Iterable[str]) -> dict[str, int]:
    """Class → files, where all media lie in `<class>/…` or `<split>/<class>/…`."""
    counts: Counter[str] = Counter()
    for path in files:
        if modality_by_name(path) not in modalities():
            continue
        *above, _ = path.split("/")
        above = above[1:] if above and above[0].lower() in SPLITS else above
        if not above:
            return {}
        counts[above[0]] += 1
    return dict(sorted(counts.items()))


def _column(name: str, tables: Mapping[str, Table], files: Mapping[str, int]) -> Column:
    """`tables` are by the folder in which they lie, to which their paths are relative."""
    cells = [
        (place, str(row.cells[name]))
        for place, table in tables.items()
        for row in table.rows
        if name in row.cells
    ]
    values = Counter(text for _, text in cells)
    numbers = [_number(text) for text in values]
    paths = {f"{place}{text}" for place, text in cells}
    folder = _folder(paths, files) if "" in tables else ("" if _name_files(paths, files) else None)
    urls = bool(values) and sum(map(is_url, values)) >= NAMES_FILES * len(values)
    kinds = Counter(
        modality_by_name(file_name(text)) or ""
        for text in (values if urls else paths)
        if (is_url(text) if urls else folder is not None and f"{folder}{text}" in files)
    )
    return Column(
        name,
        filled=len(cells),
        distinct=len(values),
        words=sum(len(text.split()) * n for text, n in values.items()) / max(len(cells), 1),
        numbers=bool(numbers) and None not in numbers,
        whole=bool(numbers) and all(n is not None and n.is_integer() for n in numbers),
        modality=kinds.most_common(1)[0][0] if kinds else "",
        urls=urls,
        folder=folder or "",
        splits=_splits(values),
        split_folders=_split_folders(values.keys()) if kinds and not urls else (),
    )


def _folder(paths: Collection[str], files: Mapping[str, int]) -> str | None:
    """The folder, with a slash at its end, in which paths name files; None if they name none."""
    named = Counter(
        path[:start]
        for path in files
        for start in (0, *(place + 1 for place, letter in enumerate(path) if letter == "/"))
        if path[start:] in paths
    )
    with_files = {"", *(f"{path.rpartition('/')[0]}/" for path in files if "/" in path)}
    enough = NAMES_FILES * len(paths)
    return min((f for f in with_files & named.keys() if named[f] >= enough), default=None)


def _name_files(paths: Collection[str], files: Mapping[str, int]) -> bool:
    named = sum(path in files for path in paths)
    return bool(paths) and named >= NAMES_FILES * len(paths)


def _splits(values: Iterable[str]) -> set[str]:
    """The splits that all values name; empty if one names none."""
    names = {value.lower() for value in values}
    return {SPLITS[name] for name in names} if names <= SPLITS.keys() else set()


def _split_folders(paths: Iterable[str]) -> list[str]:
    """The folders in which all paths begin, if each is called after a split."""
    folders = sorted({path.partition("/")[0] for path in paths})
    return folders if all(name.lower() in SPLITS for name in folders) else []


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
