"""Tables that stages write and read back."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.files.csv_table import read_table, write_table


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_table(path, ("name", "n"), [{"name": 'ä, "b"\nc', "n": 1}, {"name": "d"}])
    assert read_table(path) == [{"name": 'ä, "b"\nc', "n": "1"}, {"name": "d", "n": ""}]
    assert b"\r" not in path.read_bytes()


def test_a_row_of_other_columns_is_none_of_the_table(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not in fieldnames: 'm'"):
        write_table(tmp_path / "table.csv", ("n",), [{"n": 1, "m": 2}])


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"n\n\xff\n")
    with pytest.raises(PipelineError, match=r"table\.csv is damaged"):
        read_table(path)
