"""What a person names on the command line → samples: files, contents, folders, tables, a list."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from pipeline.core import spans
from pipeline.core.errors import PipelineError, Rejected, unknown
from pipeline.core.records import Inline, Scan
from pipeline.inference.samples import Content, Sample
from pipeline.params import Params
from pipeline.raw.folders import SMALL, Facts, LocalFolder
from pipeline.raw.listing import Listing, absent
from pipeline.raw.media_types import inline_types, modality_by_name
from pipeline.raw.near_names import NearNames
from pipeline.raw.table_file import MAX_ROWS
from pipeline.sources import folder as tables
from pipeline.sources import source_of

LIST = "-"
OPTION = "--"
# Bytes of a line of a list: a path has 4096 at most.
MAX_PATH = 1 << 16


def samples_of(
    inputs: Sequence[str], params: Params, source: str = "", stdin: BinaryIO | None = None
) -> Iterator[Sample]:
    """The samples that the inputs of a command name, in their order.

    Parameters
    ----------
    inputs:
        Paths: a file is a sample by itself, a folder or a table (see `sources.folder`) has many.
        `--<modality>` and a value, once a modality, make one sample together: the words themselves
        where content can be written in a table, else a path. `-` is a list of paths, one a line.
    source:
        The source of params.yaml as which folders are read; empty: by `sources.folder`, and those
        without a table as files of which the same name, but for its ending, means one sample.

    Raises
    ------
    PipelineError
        There is no such source, an option names no modality or has no value, a folder or table
        holds nothing that could be a sample, or the list has no end.
    """
    if source and source not in params.sources:
        raise PipelineError(unknown("source", source, params.sources))
    paths, contents = _contents(inputs, params.modalities)
    given: list[Iterable[Sample]] = []
    if contents:
        files = [str(content) for content in contents.values() if isinstance(content, Path)]
        given.append([Sample("+".join(files) or "1", contents)])
    for path in paths:
        if path == LIST:
            given.append(_listed(stdin, params))
        elif Path(path).is_dir():
            given.append(_in_folder(Path(path), params, source))
        elif _is_table(path):
            given.append(_in_table(Path(path)))
        else:
            given.append([_file(path, params)])
    if not given:
        raise PipelineError("give files, a folder, a table, or - for a list: see --help")
    return chain.from_iterable(given)


def _contents(
    inputs: Sequence[str], modalities: Sequence[str]
) -> tuple[list[str], dict[str, Content]]:
    """Paths, and what options say of one sample."""
    paths: list[str] = []
    contents: dict[str, Content] = {}
    rest = iter(inputs)
    for token in rest:
        if not token.startswith(OPTION):
            paths.append(token)
            continue
        name, has_value, value = token.removeprefix(OPTION).partition("=")
        if name not in modalities:
            raise PipelineError(unknown("option", token, (OPTION + m for m in modalities)))
        if name in contents:
            raise PipelineError(f"{OPTION}{name} is given twice: a sample has one content of each")
        value = value if has_value else next(rest, "")
        if not value:
            raise PipelineError(f"{OPTION}{name} has no value")
        contents[name] = value if name in inline_types() else Path(value)
    return paths, contents


def _file(path: str, params: Params) -> Sample:
    """A file, or a span of one, with what a source of params takes out of files of its kind."""
    modality = modality_by_name(spans.split(path, spans.PATH)[0])
    if modality is not None:
        options = [source.options for source in params.sources.values()]
        beside = (name for one in options for name in getattr(one, f"from_{modality}", ()))
        return Sample(_shown(path), dict.fromkeys([modality, *beside], Path(path)))
    return Sample(
        _shown(path),
        {},
        Rejected(
            "unknown_media_type",
            "its name's ending says no modality; unpack an archive, and say of another file what "
            "it is, such as by --image"
            if os.path.exists(path)  # noqa: PTH110, which raises of a name with a NUL
            else "there is no such file",
        ),
    )


def _is_table(path: str) -> bool:
    suffix = PurePosixPath(path).suffix
    return suffix in tables.SUFFIXES and modality_by_name(path) is None and Path(path).is_file()


def _listed(stdin: BinaryIO | None, params: Params) -> Iterator[Sample]:
    """A sample for each line of a list, which is read to its end first."""
    if stdin is None:
        raise PipelineError(f"there is no standard input to read the list {LIST} from")
    paths: list[str] = []
    while line := stdin.readline(MAX_PATH):
        if len(line) == MAX_PATH:
            raise PipelineError(f"line {len(paths) + 1} of the list is no path: it has no end")
        path = os.fsdecode(line.rstrip(b"\r\n"))
        if path:
            paths.append(path)
        if len(paths) > MAX_ROWS:
            raise PipelineError(f"the list has more than {MAX_ROWS:,} lines: ask in several runs")
    if not paths:
        raise PipelineError("the list is empty")
    return (_file(path, params) for path in paths)


def _in_folder(path: Path, params: Params, source: str) -> Iterator[Sample]:
    folder = LocalFolder(path)
    listing = folder.listing
    names = [name for name in listing.files if not _is_hidden(name)]
    if not names and not listing.refused:
        raise PipelineError(f"{path} holds no files")
    if source:
        scan = _scan_as(folder, params, source)
    elif any(name in listing.files for name in tables.TABLES):
        scan = tables.scan(folder, tables.Options.model_validate({}))
    else:
        yield from _by_name(path, names, params)
        yield from (
            Sample(f"{path}/{name}", {}, Rejected(*why)) for name, why in listing.refused.items()
        )
        return
    near = NearNames(listing.files)

    def content(name: str) -> Content:
        file, _ = spans.split(name, spans.PATH)
        if file in listing.files:
            return path / name
        return Rejected(*(listing.refused.get(file) or absent(file, near)))

    yield from _scanned(scan, str(path), content)


def _in_table(path: Path) -> Iterator[Sample]:
    """Paths are relative to the table's folder, or absolute; nothing else there is looked at."""
    size = path.stat().st_size
    if size > SMALL:
        raise PipelineError(f"{path} has more than {SMALL >> 20} MiB: split it")
    scan = tables.scan(_OneTable(path, size), tables.Options.model_validate({}))
    yield from _scanned(scan, str(path), lambda name: path.parent / name)


class _OneTable:
    """A folder in which a source sees one table alone, by the name that it looks for."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self.listing = Listing({f"metadata{path.suffix}": size}, {})

    def read(self, path: str) -> bytes:
        return self._path.read_bytes()

    def facts(self, paths: Iterable[str], digests: object) -> Facts:
        raise AssertionError("a table is no asset")


def _scan_as(folder: LocalFolder, params: Params, source: str) -> Scan:
    """A folder as one of params.yaml's sources reads it; what only training needs may lack."""
    section = params.sources[source]
    beside: dict[str, object] = {"targets": {}, "attributes": (), "folders": None}
    needless = {name: value for name, value in beside.items() if hasattr(section.options, name)}
    return source_of(section.kind).scan(folder, section.options.model_copy(update=needless))


def _scanned(scan: Scan, where: str, content: Callable[[str], Content]) -> Iterator[Sample]:
    unusable = [refusal for refusal in scan.refused if refusal.subject_kind == "file"]
    if unusable and not scan.samples:
        raise PipelineError(f"{where}: {unusable[0].message}")
    if not scan.samples and not scan.refused:
        raise PipelineError(f"{where} has no row")
    for sample in scan.samples:
        contents = {
            modality: asset.data if isinstance(asset, Inline) else content(asset)
            for modality, asset in sample.assets.items()
        }
        yield Sample(sample.sample_id, contents)
    for refusal in scan.refused:
        yield Sample(refusal.subject, {}, Rejected(refusal.reason, refusal.message))


def _by_name(folder: Path, names: Iterable[str], params: Params) -> Iterator[Sample]:
    """Files of one name but for its ending, of different modalities, are one sample."""
    together: dict[str, list[str]] = {}
    for name in names:
        together.setdefault(str(PurePosixPath(name).with_suffix("")), []).append(name)
    for stem, files in together.items():
        modalities = [modality_by_name(name) for name in files]
        if len(files) > 1 and None not in modalities and len(set(modalities)) == len(files):
            contents = {str(m): folder / name for m, name in zip(modalities, files, strict=True)}
            yield Sample(f"{folder}/{stem}", contents)
        else:
            yield from (_file(f"{folder}/{name}", params) for name in files)


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def _shown(path: str) -> str:
    """A path as text that is UTF-8."""
    return path.encode(errors="surrogateescape").decode(errors="backslashreplace")
