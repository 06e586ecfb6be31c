"""Records of a CSV file by its physical lines, so that no mark out of place swallows or makes rows.

In RFC 4180 a cell may hold line breaks between quotation marks. Then one mark that nobody closed
makes a single cell of all lines up to the next mark, and one that nobody opened leaves a cell's
own lines to be read as rows. Which lines belong together is certain as long as marks stand in
place, and after one that does not, if it is the only one of its file: that line is refused alone.
Where another mark is out of place too, there is no telling, and the table is refused as a whole.

Marks are out of place

- where a cell that one opens is never closed, or something follows on the closing one;
- where a cell closes in order, but its lines look like rows of this table (`_holds_rows`).

A mark inside a cell that none opens (`5" pipe`) is text. But beside marks out of place, or beside
a backslash before a closing mark (`\\"`, unknown to RFC 4180), it may be the end of a cell.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.core.errors import Rejected

MARK = '"'
# Up to the mark that closes a cell: doubled ones belong to it.
UP_TO_CLOSING = re.compile(r'[^"]*+(?:""[^"]*+)*+')
# Cells of a column that tell what its other cells are like; more would say the same.
TOLD_BY = 10_000
# A column is regular where so many of its cells are alike.
ALIKE = 0.9
# Of the cells that lines inside a cell would have, were they rows, so many are like the columns'.
LIKE_ROWS = 0.75
OUT_OF_PLACE = (
    "a quotation mark opens a cell in it that does not end where a cell may end; close the cell, "
    'or write a mark that belongs to the text twice ("")'
)

Rule = Callable[[str], bool]


@dataclass(frozen=True)
class Record:
    """Cells of lines[first:past].

    `problem` says why there are none. `stray` tells of a mark inside a cell that none opened,
    `escaped` of a backslash before one that closes.
    """

    first: int
    past: int
    cells: list[str] = field(default_factory=list)
    problem: str = ""
    stray: bool = False
    escaped: bool = False


def records(name: str, lines: Sequence[str], delimiter: str) -> list[Record]:
    """All records, the line of column names first; empty lines are none.

    Parameters
    ----------
    lines:
        The file's physical lines, each with its ending.

    Raises
    ------
    Rejected
        `bad_metadata`: there is no line of column names. `broken_quotes`: marks are out of place,
        and which lines belong together is uncertain.
    """
    records = _read(lines, delimiter, frozenset())
    if not records or records[0].problem:
        why = records[0].problem if records else "the file is empty"
        raise Rejected("bad_metadata", f"{name} has no line of column names: {why}")
    marks = _problems(records) | _swallowing(lines, delimiter, records)
    if len(marks) == 1 and not _problems(records):
        records = _read(lines, delimiter, marks)
        marks = _problems(records) | _swallowing(lines, delimiter, records)
    stray = [record.first for record in records if record.stray]
    escaped = [record.first for record in records if record.escaped]
    alone = len(marks) < 2 and records[0].first not in marks
    if not alone or (marks and (stray or escaped)) or (stray and escaped):
        places = sorted({*sorted(marks)[:2], *stray[:1], *escaped[:1]})
        raise Rejected("broken_quotes", _message(name, places, len(lines)))
    return records


def _problems(records: Sequence[Record]) -> frozenset[int]:
    return frozenset(record.first for record in records if record.problem)


def _read(lines: Sequence[str], delimiter: str, broken: frozenset[int]) -> list[Record]:
    """Records one after the other, `broken` lines by themselves; ends with the second problem."""
    records: list[Record] = []
    at = problems = 0
    while at < len(lines) and problems < 2:
        if lines[at] in ("\n", "\r\n", "\r"):
            at += 1
            continue
        record = (
            Record(at, at + 1, problem=OUT_OF_PLACE)
            if at in broken
            else _record(lines, at, delimiter)
        )
        problems += bool(record.problem)
        records.append(record)
        at = record.past
    return records


def _record(lines: Sequence[str], first: int, delimiter: str) -> Record:
    line, last, at = lines[first], first, 0
    if MARK not in line:
        return Record(first, first + 1, _literally(line, delimiter))
    cells: list[str] = []
    stray = escaped = False
    while True:
        if line.startswith(MARK, at):
            content, last, at = _quoted(lines, last, at + 1)
            line = lines[last]
            ends = line.startswith((delimiter, "\r", "\n"), at) or at == len(line)
            if content is None or not ends:
                return Record(first, first + 1, problem=OUT_OF_PLACE)
            escaped |= content.endswith("\\")
            cells.append(content.replace(MARK * 2, MARK))
        else:
            cell = line[at:].partition(delimiter)[0].rstrip("\r\n")
            stray |= MARK in cell
            at += len(cell)
            cells.append(cell)
        if not line.startswith(delimiter, at):
            return Record(first, last + 1, cells, stray=stray, escaped=escaped)
        at += 1


def _quoted(lines: Sequence[str], line: int, at: int) -> tuple[str | None, int, int]:
    """What stands up to the mark that closes a cell, and the line and place behind that mark."""
    pieces = []
    for number in range(line, len(lines)):
        piece = UP_TO_CLOSING.match(lines[number], at)
        assert piece is not None
        pieces.append(piece[0])
        if piece.end() < len(lines[number]):
            return "".join(pieces), number, piece.end() + 1
        at = 0
    return None, line, at


def _literally(line: str, delimiter: str) -> list[str]:
    """The cells of a physical line, were its marks plain text."""
    return line.rstrip("\r\n").split(delimiter)


def _swallowing(lines: Sequence[str], delimiter: str, records: Sequence[Record]) -> frozenset[int]:
    """The first lines of records whose cells hold what look like rows of this table."""
    header, *rows = records
    columns = len(header.cells)
    longer = [record for record in rows if record.past - record.first > 1]
    if not longer and header.past - header.first == 1:
        return frozenset()
    whole = [r.cells for r in rows if r.past - r.first == 1 and len(r.cells) == columns]
    known = _rules(columns, whole)
    first = set()
    for record in longer:
        split = [_literally(line, delimiter) for line in lines[record.first : record.past]]
        before = lines[record.first].partition(MARK)[0].split(delimiter)[:-1]
        if _holds_rows(split, columns, known or _rules(columns, [*whole, before])):
            first.add(record.first)
    width, *widths = (
        len(_literally(line, delimiter)) for line in lines[header.first : header.past]
    )
    if width + len(widths) > 3 and width > 1 and 2 * widths.count(width) >= len(widths) > 0:
        first.add(header.first)
    return frozenset(first)


def _holds_rows(split: Sequence[list[str]], columns: int, rules: Mapping[int, Rule]) -> bool:
    """Whether most lines of a record have as many cells as the table, and cells like its own.

    Prose has neither. What stands before the cell, on its first line, or behind it, on its last,
    are cells of the table anyway and prove nothing. Where no column is regular, the lines are rows
    if each of them has as many cells as the table, and that is three or more.

    Parameters
    ----------
    split:
        The record's lines, taken apart as if marks were plain text.
    """
    fitting = sum(len(cells) == columns for cells in split)
    if not rules:
        return columns > 2 and fitting == len(split)
    behind = max(i for i, cell in enumerate(split[0]) if MARK in cell) + 1
    before = min(i for i, cell in enumerate(split[-1]) if MARK in cell)
    alike = [
        rules[i](cell)
        for number, cells in enumerate(split)
        if len(cells) == columns
        for i, cell in enumerate(cells)
        if i in rules and (number or i >= behind) and (number < len(split) - 1 or i < before)
    ]
    return 2 * fitting >= len(split) and sum(alike) >= LIKE_ROWS * len(alike) > 0


def _rules(columns: int, rows: Sequence[Sequence[str]]) -> dict[int, Rule]:
    """Column → what its cells are like, for the regular ones; a row may be cut short."""
    rules = {}
    for i in range(columns):
        if rule := _rule([cells[i] for cells in rows[:TOLD_BY] if i < len(cells)]):
            rules[i] = rule
    return rules


def _rule(cells: Sequence[str]) -> Rule | None:
    if len(cells) < 2:
        return None
    values = set(cells)
    if len(cells) >= 5 * len(values) and values != {""}:
        return values.__contains__
    for form in (_shape, _is_token_with_digit):
        ((commonest, times),) = Counter(map(form, cells)).most_common(1)
        if commonest and times >= ALIKE * len(cells):
            return lambda cell, form=form, like=commonest: form(cell) == like  # type: ignore[misc]
    return None


def _shape(cell: str) -> str:
    """`IMG_0021.png` → `a_0.a`; empty for words alone, as these are what prose is made of."""
    shape = re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "0", cell))
    return shape if re.search(r"[^a\s]", shape) else ""


def _is_token_with_digit(cell: str) -> bool:
    return re.fullmatch(r"\S*\d\S*", cell) is not None


def _message(name: str, places: Sequence[int], lines: int) -> str:
    listed = " and ".join(str(place + 1) for place in places)
    return (
        f"{name}: quotation marks are out of place in line {listed}, so that nobody can say which "
        f"of its {lines:,} lines belong together, and none is taken: close the cells there, and "
        'write a mark that belongs to the text twice ("", not \\")'
    )


def delimiter_of(name: str, lines: Sequence[str]) -> str:
    """A tab in .tsv; else what parts the column names: a comma, or `;` or tabs where none is."""
    if name.lower().endswith(".tsv"):
        return "\t"
    header = lines[0] if lines else ""
    return next((mark for mark in (",", ";", "\t") if mark in header), ",")
