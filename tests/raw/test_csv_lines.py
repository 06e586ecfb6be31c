"""Every physical line of a CSV file is in a row, in a refusal, or the table is refused."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import Rejected
from pipeline.raw.table_file import Table, read

WORDS = ("Hello is the first word", "bye", "a red car", "why not", "it, too", "two\nlines, here")


def lines_of(count: int, changed: dict[int, str], quoting: int = csv.QUOTE_MINIMAL) -> bytes:
    """A table of `count` rows of id, text and label, some lines replaced; one line a row."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n", quoting=quoting)  # type: ignore[arg-type]
    writer.writerow(["id", "text", "label"])
    for i in range(1, count + 1):
        if i in changed:
            file.write(changed[i] + "\n")
        else:
            writer.writerow([f"id{i}", WORDS[i % 5], ("cat", "dog")[i % 2]])
    return file.getvalue().encode()


def good(table: Table) -> list[str]:
    return [row.cells["id"] for row in table.rows if not row.problem]


def bad(table: Table) -> list[int]:
    return [row.number for row in table.rows if row.problem]


@pytest.mark.parametrize(
    ("count", "quoting"),
    [(30, csv.QUOTE_MINIMAL), (100, csv.QUOTE_ALL), (10_000, csv.QUOTE_MINIMAL)],
)
@pytest.mark.parametrize(
    "line",
    [
        'id20,"Hello is the first word,cat',
        '"id20,Hello is the first word,cat',
        'id20,Hello is the first word,"cat',
        'id20,"Hello" is the first word,cat',
        'id20,"Hello, "they" said",cat',
        '"id20","Hello","cat',
    ],
)
def test_one_mark_out_of_place_costs_its_line(line: str, count: int, quoting: int) -> None:
    table = read("metadata.csv", lines_of(count, {20: line}, quoting))
    assert bad(table) == [21]
    assert good(table) == [f"id{i}" for i in range(1, count + 1) if i != 20]
    assert "quotation mark" in table.rows[19].problem


@pytest.mark.parametrize("count", [61, 500])
@pytest.mark.parametrize("last", [25, 31, 60])
@pytest.mark.parametrize(
    "closing",
    ['id{},5" pipe,cat', 'id{},Hello",cat', '"id{},Hello,cat', 'id{},"Hello,cat', 'id{},bye,dog"'],
)
def test_two_marks_out_of_place_refuse_the_table(count: int, last: int, closing: str) -> None:
    changed = {20: 'id20,"Hello is the first word,cat', last: closing.format(last)}
    with pytest.raises(Rejected) as caught:
        read("metadata.csv", lines_of(count, changed))
    assert caught.value.reason == "broken_quotes"
    assert f"in line 21 and {last + 1}" in caught.value.message


@pytest.mark.parametrize("name", ["id{}.png", "images/{}.jpg", "{:08x}", "{}"])
@pytest.mark.parametrize("count", [6, 100])
def test_rows_of_two_columns_are_not_swallowed(name: str, count: int) -> None:
    rows = [f"{name.format(7 * i)},words of {'abcdef'[i % 6]}" for i in range(1, count + 1)]
    rows[1] = f'{name.format(2)},"Hello'
    rows[4] = f'{name.format(5)},bye"'
    with pytest.raises(Rejected, match="broken_quotes"):
        read("metadata.csv", "\n".join(["file_name,text", *rows]).encode())


def test_a_cell_of_several_lines_stays_one() -> None:
    poems = [
        "Roses are red,\nViolets are blue,\nSugar is sweet,",
        "one\n\ntwo, three",
        'She said "no", and\r\nleft; twice',
        "1, 2\n3, 4",
        ",,\n,,",
        '"',
        '""\n""',
    ]
    for columns in (("id", "text"), ("text", "id"), ("id", "text", "label"), ("text",)):
        file = io.StringIO()
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        texts = [*poems, *WORDS] * 4
        for i, text in enumerate(texts):
            writer.writerow({"id": f"id{i}.png", "text": text, "label": "ab"[i % 2]})
        table = read("metadata.csv", file.getvalue().encode())
        assert bad(table) == []
        assert [row.cells["text"] for row in table.rows] == texts


def test_a_row_is_numbered_by_its_first_line() -> None:
    table = read("metadata.csv", b'a,b\n1,"x\ny"\n\n2,z\n3\n')
    assert [row.number for row in table.rows] == [2, 5, 6]
    assert bad(table) == [6]


ESCAPED = {
    "four lines": 'id2,"He said \\"hi\\"\nid7,second,cat\nid8,third,dog\nand \\"left\\"",cat',
    "the first line ends in it": 'cat2,id9,"say \\"\nid7,second,cat\nid8,there\\" twice",x',
    "the last line begins in it": 'id2,"He said \\"hi\\"\nid7,second,cat\n",cat',
    "a cell is its own end": 'id2,"a \\",\\" b",cat',
}


@pytest.mark.parametrize("rows", ESCAPED.values(), ids=ESCAPED)
def test_escaped_marks_make_no_rows_of_a_cells_own_lines(rows: str) -> None:
    for count in (3, 50):
        with pytest.raises(Rejected) as caught:
            read("metadata.csv", lines_of(count, {2: rows}))
        assert caught.value.reason == "broken_quotes"
        assert "line 3" in caught.value.message


def test_a_long_cell_of_many_lines_is_one_cell() -> None:
    text = "\n".join(f"id{i},not a row,{'x' * 40}" for i in range(4000))
    text = f"{text}\nprose, of more\nlines"
    assert len(text) > 131_072
    rows = [f"name{i}.png,words,y" for i in range(40)]
    data = "\n".join(["id,text,label", *rows[:20], f'long.png,"{text}",y', *rows[20:]])
    table = read("metadata.csv", data.encode())
    assert bad(table) == []
    assert len(table.rows) == 41
    assert table.rows[20].cells == {"id": "long.png", "text": text, "label": "y"}


def test_a_backslash_that_ends_a_cell_is_text() -> None:
    table = read("metadata.csv", b'id,text\n1,"C:\\dir\\"\n2,"D:\\"\n3,x\n')
    assert [row.cells["text"] for row in table.rows] == ["C:\\dir\\", "D:\\", "x"]


def test_marks_inside_a_cell_that_none_opens_are_text() -> None:
    table = read("metadata.csv", b'id,text\n1,5" pipe\n2,say "hi"\n3,"a ""b"" c"\n')
    assert [row.cells["text"] for row in table.rows] == ['5" pipe', 'say "hi"', 'a "b" c']


def test_a_header_does_not_swallow_rows() -> None:
    for header in ('id,"text,label', '"id,text,label', 'id,text,"label'):
        for end in ("", 'id9,5",x\n', 'id9,"a",x\n', 'id9,x"\n'):
            data = f"{header}\n" + "".join(f"id{i},a,b\n" for i in range(5)) + end
            with pytest.raises(Rejected):
                read("metadata.csv", data.encode())
    assert read("metadata.csv", b'"size\n(cm), all",text\n1,a\n').columns == [
        "size\n(cm), all",
        "text",
    ]


@pytest.mark.parametrize("mark", [";", "\t"])
def test_semicolons_and_tabs_part_cells_where_no_comma_does(mark: str) -> None:
    data = f'file_name{mark}text\na.png{mark}"one, two{mark} three"\n'.encode()
    for name in ("metadata.csv", *(["metadata.tsv"] if mark == "\t" else [])):
        (row,) = read(name, data).rows
        assert row.cells == {"file_name": "a.png", "text": f"one, two{mark} three"}


def test_tabs_part_the_cells_of_tsv_whatever_the_names_hold() -> None:
    (row,) = read("metadata.tsv", b"text\tsize, in cm\na, b\t3\n").rows
    assert row.cells == {"text": "a, b", "size, in cm": "3"}


CELLS = st.lists(st.text(alphabet='ab,;"\\\n\r\t ', max_size=8), min_size=3, max_size=3)


@given(st.lists(CELLS, max_size=6))
def test_what_is_written_by_the_rules_is_read_or_refused_whole(rows: list[list[str]]) -> None:
    """Cells of nothing but marks and breaks may look like rows; none is ever changed or lost."""
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["x", "y", "z"], *rows])
    try:
        table = read("metadata.csv", file.getvalue().encode())
    except Rejected:
        return
    kept = [[cell for cell in cells if cell] for cells in rows]
    read_cells = [list(row.cells.values()) for row in table.rows if not row.problem]
    assert len(table.rows) <= len(rows)
    if not bad(table):
        assert read_cells == kept


@given(st.text(alphabet='a,"\n\\', max_size=60))
def test_no_row_is_made_of_what_is_none(text: str) -> None:
    """Lines that hold no mark are rows, or part of a cell that marks in their place enclose."""
    try:
        table = read("metadata.csv", f"x,y\n{text}".encode())
    except Rejected:
        return
    assert len(table.rows) <= text.count("\n") + 1
