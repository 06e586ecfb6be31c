"""Any folder with a table that says what belongs together, as Hugging Face's ImageFolder has it.

At the batch's root lies one of metadata.csv, .tsv, .json, .jsonl, .parquet and .xlsx, with a row
for each sample. Its columns, all of them optional:

- `file_name`: a file whose media type says the modality;
- `<modality>_file_name`, such as `image_file_name`: a file of that modality;
- `text`, or another modality whose content can be written in a cell: the content itself;
- `sample_id`: else the sample is called after its files, or by its row where it has none;
- `group`: what must not straddle splits, such as a speaker; else each sample is its own group;
- `split`: train, validation (or valid, val, dev) or test;
- `start` and `end`, in seconds: of the row's films and subtitles what lies from `start` on until
  just before `end`. Without a `group`, all spans of a file are one;
- any others, which params name as targets or attributes.

A table that calls them otherwise is read by the option `columns`. Paths are relative to the batch's
folder; a file may also be named by a URL (http, https, s3), which the stage `download` fetches if
params name it for the source. An empty cell is a missing one. A table may have a million rows and
256 MiB (pipeline/raw/table_file.py, pipeline/raw/folders.py); more samples make more batches.

A batch without a table at its root may have one in the folder of each split, such as
`train/metadata.csv`: paths are relative to that folder, and its name is the split of rows that
state none. Without any table it may have a folder for each class, `<class>/…` or
`<split>/<class>/…`, if the option `folders` says of which target.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from pydantic import Field, ValidationInfo, field_validator

from pipeline.core import spans
from pipeline.core.errors import Rejected
from pipeline.core.options import Options as Base
from pipeline.core.records import Inline, Refusal, Sample, Scan, Split
from pipeline.core.text_decoding import text_encoding
from pipeline.raw.downloads import is_url
from pipeline.raw.folders import Folder
from pipeline.raw.media_types import by_name, inline_types, modality_by_name
from pipeline.raw.table_file import Table, TableRow, read
from pipeline.raw.tracks import endings_with, given, takes_spans, tracks_with
from pipeline.sources._columns import FILE_NAME as FILE_NAME
from pipeline.sources._columns import (
    ROLES,
    files_of,
    holds_content,
    is_role,
    name_of,
    roles_of,
    span_of,
    split_of,
    target_of,
    text_of,
)
from pipeline.sources._columns import SPLITS as SPLITS

SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".parquet", ".xlsx")
TABLES = tuple(f"metadata{suffix}" for suffix in SUFFIXES)


class Options(Base):
    """What the columns of the table mean, or what the folders do where there is none."""

    columns: dict[str, str] = Field(
        default_factory=dict,
        description="column → what this source calls it: file_name, <modality>_file_name, text, "
        "sample_id, group, split, start or end, such as {image: image_file_name, speaker: group}",
    )
    targets: dict[str, str] = Field(
        default_factory=dict, description="column → name of the target that it holds"
    )
    attributes: tuple[str, ...] = Field(
        (), description="columns that reports may group by, kept as text"
    )
    from_video: tuple[str, ...] = Field(
        (),
        description="modalities that a row's film gives where the row names nothing else of them: "
        "image (what is seen in its middle), audio, text (subtitles in it, or in a file beside it "
        "that is called like it; else what is spoken, where clean.text.speech says so)",
    )
    from_audio: tuple[str, ...] = Field(
        (),
        description="modalities that a row's recording gives where the row names nothing else of "
        "them: text (subtitles in a file beside it that is called like it; else what is spoken, as "
        "clean.text.speech says)",
    )
    folders: str | None = Field(
        None, description="target that folders are the classes of, in batches without a table"
    )
    splits: tuple[Split, ...] = Field(
        ("train", "validation", "test"),
        description="splits that stand where the data names them; samples of others are split by "
        "curate.ratios, as those are of which it names none",
    )
    licence: str | None = Field(None, description="licence of all that lies in the source")
    fallback: str | None = Field(
        None,
        description="encoding of lines of a table that are not Unicode, e.g. cp1252; else that of "
        "clean.text, and without one their cells are refused, but for text",
    )

    @field_validator("columns")
    @classmethod
    def _mean_what_is_known(cls, columns: dict[str, str]) -> dict[str, str]:
        for column, role in columns.items():
            if not is_role(role):
                known = ", ".join([FILE_NAME, f"<modality>_{FILE_NAME}", *inline_types(), *ROLES])
                raise ValueError(f"{column}: '{role}' is no column of this source; say {known}")
        return _once(columns, "column")

    @field_validator("from_video", "from_audio")
    @classmethod
    def _are_in_files(cls, names: tuple[str, ...], about: ValidationInfo) -> tuple[str, ...]:
        holder = str(about.field_name).removeprefix("from_")
        for name in set(names).difference(given(holder)):
            raise ValueError(f"{holder} gives no '{name}'; say {', '.join(given(holder))}")
        return names

    @field_validator("targets")
    @classmethod
    def _one_column_a_target(cls, targets: dict[str, str]) -> dict[str, str]:
        return _once(targets, "target")

    _fallback = field_validator("fallback")(text_encoding)

    def taken_from(self, holder: str) -> tuple[str, ...]:
        """The modalities that files of that one give where the row names nothing else of them."""
        taken: tuple[str, ...] = getattr(self, f"from_{holder}", ())
        return taken


def _once(names: dict[str, str], what: str) -> dict[str, str]:
    twice = sorted(name for name, times in Counter(names.values()).items() if times > 1)
    if twice:
        raise ValueError(f"more than one column for the {what} {', '.join(twice)}")
    return names


def scan(folder: Folder, options: Options) -> Scan:
    """A sample for every row of tables that makes one, or for every file of a class's folder."""
    files = folder.listing.files
    tables = tables_of(files)
    if not tables and options.folders:
        return Scan(list(_classified(files, options)))
    if not tables:
        return Scan([], [Refusal("file", TABLES[0], *_no_table(files))], [TABLES[0]])
    parts = [_scanned(folder, place, names, options) for place, names in tables.items()]
    return Scan(
        [sample for part in parts for sample in part.samples],
        [refusal for part in parts for refusal in part.refused],
        [name for names in tables.values() for name in names],
        " ".join(dict.fromkeys(part.advice for part in parts if part.advice)),
    )


def tables_of(files: Iterable[str]) -> dict[str, list[str]]:
    """Folder, with a slash at its end, → its tables: those at the root, else those of splits."""
    places: dict[str, list[str]] = {}
    for path in files:
        above, slash, name = path.rpartition("/")
        if name in TABLES and (not slash or above.lower() in SPLITS):
            places.setdefault(f"{above}{slash}", []).append(path)
    return {"": places[""]} if "" in places else dict(sorted(places.items()))


def _scanned(folder: Folder, place: str, names: list[str], options: Options) -> Scan:
    """A sample for every row of the one table that lies in a place."""
    files = folder.listing.files
    inside = {path.removeprefix(place): n for path, n in files.items() if path.startswith(place)}
    try:
        if len(names) > 1:
            listed = ", ".join(sorted(names))
            raise Rejected("bad_metadata", f"more than one table: {listed}; keep one of them")
        table = read(names[0], folder.read(names[0]), options.fallback)
        _check_columns(table, options, inside)
    except Rejected as reject:
        message = f"{names[0]}: {reject.message}" if place else reject.message
        return Scan([], [Refusal("file", names[0], reject.reason, message)])

    reading = _Reading(names[0], table, options, place, files)
    samples, refused = [], []
    for row in table.rows:
        try:
            samples.append(reading.sample(row))
        except Rejected as reject:
            message = f"{reading.where(row)}{reject.message}"
            refused.append(Refusal("row", f"{names[0]}:{row.number}", reject.reason, message))
    return Scan(samples, refused, advice=_advice(table, options, inside))


@dataclass(frozen=True)
class _Reading:
    """A table, and which of its columns are what; `place` is the folder in which it lies."""

    name: str
    table: Table
    options: Options
    place: str = ""
    files: Collection[str] = ()
    # Of the same columns there are few sets, and as many mappings are kept.
    _columns: dict[tuple[str, ...], dict[str, str]] = field(default_factory=dict)

    def where(self, row: TableRow) -> str:
        return f"{self.name}, {self.table.unit} {row.number}: "

    @property
    def roles(self) -> dict[str, str]:
        return roles_of(self.table.columns, self.options.columns)

    def sample(self, row: TableRow) -> Sample:
        """The sample of a row; Rejected if it makes none."""
        if row.problem:
            raise Rejected("bad_row", row.problem)
        cells = row.cells
        roles = {role: column for role, column in self.roles.items() if column in cells}
        assets: dict[str, str | Inline] = {}
        columns = {f"target.{name}": column for column, name in self.options.targets.items()}
        film = None
        for modality, column, path in files_of(cells, roles):
            inside = path if is_url(path) else PurePosixPath(self.place, path).as_posix()
            if takes_spans(modality) or tracks_with(modality, by_name(path)):
                inside = spans.join(inside, spans.PATH, span_of(cells, roles, inside))
            film = inside if takes_spans(modality) else film
            assets[modality], columns[modality] = inside, column
        names = [str(path) for _, path in sorted(assets.items())]
        for modality in sorted(inline_types().keys() & roles.keys()):
            if modality in assets:
                both = f"columns {columns[modality]} and {roles[modality]}"
                raise Rejected("ambiguous", f"{both} both hold {modality}: leave one of them empty")
            # Bytes that are not UTF-8 go on as they stood there: cleaning mends or rejects them.
            assets[modality] = Inline(text_of(cells, roles[modality]), self.name)
            columns[modality] = roles[modality]
        files = {holder: file for holder, file in assets.items() if isinstance(file, str)}
        for holder, file in files.items():
            for modality in self.options.taken_from(holder):
                assets.setdefault(modality, self._beside_or_in(file, modality))
        return Sample(
            sample_id=name_of(cells, roles.get("sample_id"))
            or "+".join(names)
            or f"{self.name}:{row.number}",
            group=name_of(cells, roles.get("group")) or _cut_from(names, film),
            assets=assets,
            split_given=_standing(
                split_of(cells, roles.get("split")) or SPLITS.get(self.place.lower().rstrip("/")),
                self.options,
            ),
            licence=self.options.licence,
            targets={
                name: target_of(cells, column) for column, name in self.options.targets.items()
            },
            attributes={column: name_of(cells, column) for column in self.options.attributes},
            where=self.where(row),
            columns=self._columns.setdefault((*columns, *columns.values()), columns),
        )

    def _beside_or_in(self, file: str, modality: str) -> str:
        """Where a modality of a file is, of the same span: in one beside it, else in itself."""
        path, span = spans.split(file, spans.PATH)
        stem = path.removesuffix(PurePosixPath(path).suffix)
        beside = [stem + ending for ending in endings_with(modality) if stem + ending in self.files]
        return spans.join((*beside, path)[0], spans.PATH, span)


def _cut_from(names: Iterable[str], film: str | None) -> str | None:
    """The file of which a row is a span, if it is of one: the film rather than its subtitles."""
    for name in names if film is None else (film,):
        path, span = spans.split(name, spans.PATH)
        if span:
            return path
    return None


def _standing(split: Split | None, options: Options) -> Split | None:
    return split if split in options.splits else None


def _classified(files: Iterable[str], options: Options) -> Iterator[Sample]:
    """A sample for each file of a known kind that lies in the folder of a class."""
    for path in files:
        modality = modality_by_name(path)
        *above, _ = path.split("/")
        split = SPLITS.get(above[0].lower()) if above else None
        classes = above[bool(split) :]
        if classes and modality:
            yield Sample(
                sample_id=path,
                group=None,
                assets={modality: path},
                split_given=_standing(split, options),
                licence=options.licence,
                targets={str(options.folders): classes[0]},
                where=f"{path}: ",
            )


def _check_columns(table: Table, options: Options, files: Mapping[str, int]) -> None:
    """Refuse a table that lacks what it is read for: a typing error, or another table."""
    listed = ", ".join(table.columns)
    clash = [
        f"{column} and {role}"
        for column, role in options.columns.items()
        if role != column and role in table.columns and role not in options.columns
    ]
    if clash:
        message = f"two columns are one thing by the source's option `columns`: {'; '.join(clash)}"
        raise Rejected("bad_metadata", message)
    roles = roles_of(table.columns, options.columns)
    if not any(map(holds_content, roles)):
        advice = _advice(table, options, files) or (
            "Say by the source's option `columns` which one does, such as `columns: "
            f"{{{next(iter(table.columns), 'caption')}: {next(iter(inline_types()), FILE_NAME)}}}`"
        )
        holds = " or ".join(sorted(inline_types()))
        message = f"no column names a file or holds {holds}; there are: {listed}. {advice}"
        raise Rejected("bad_metadata", message)
    missing = {*options.columns, *options.targets, *options.attributes} - set(table.columns)
    if missing:
        missed = ", ".join(sorted(missing))
        raise Rejected("missing_column", f"there is no column {missed}; there are: {listed}")


def _advice(table: Table, options: Options, files: Mapping[str, int]) -> str:
    """Which columns that nothing reads name files of the batch, and how they are read."""
    read_already = {*roles_of(table.columns, options.columns).values()}
    proposals = {}
    columns = []
    for column in table.columns:
        if column in read_already:
            continue
        cells = [row.cells[column] for row in table.rows if column in row.cells]
        named = [cell for cell in cells if isinstance(cell, str) and cell in files]
        if named and 2 * len(named) >= len(cells):
            modalities = {modality_by_name(path) for path in named} - {None}
            only = modalities.pop() if len(modalities) == 1 else None
            proposals[column] = f"{only}_{FILE_NAME}" if only else FILE_NAME
            columns.append(f"its column {column} names {len(named):,}")
    if not proposals:
        return ""
    listed = ", ".join(f"{column}: {role}" for column, role in proposals.items())
    return (
        f"Nothing reads {' and '.join(columns)} of the batch's files: add `columns: {{{listed}}}` "
        f"to the source's options"
    )


def _no_table(files: Iterable[str]) -> tuple[str, str]:
    others = [path for path in files if "/" not in path and path.endswith(SUFFIXES)]
    hint = f"; is it {others[0]}? Then rename it" if others else ""
    folders = "; where each class has a folder, name their target by the source's option `folders`"
    nested = any("/" in path for path in files)
    message = f"none of {', '.join(TABLES)} lies in the batch's folder{hint}{folders * nested}"
    return "bad_metadata", message
