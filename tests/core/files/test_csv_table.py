"""Tables that stages write."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.files.csv_table import write_table


def test_a_cell_that_a_row_lacks_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_table(path, ("name", "n"), [{"name": 'ä, "b"', "n": 1}, {"name": "d"}])
    assert path.read_bytes().decode() == 'name,n\n"ä, ""b""",1\nd,\n'


def test_a_row_of_other_columns_is_none_of_the_table(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not in fieldnames: 'm'"):
        write_table(tmp_path / "table.csv", ("n",), [{"n": 1, "m": 2}])
