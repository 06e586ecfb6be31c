from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_bytes
from pipeline.modalities.text import clean
from pipeline.parts.job import Job, UsageMeter, execute
from pipeline.parts.part import Part, Row, read_footer
from pipeline.raw.roots import Raw
from pipeline.stages.work.clean import Clean, Source
from tests.toy import function


def row(data: bytes, locator: str = "", inline: bool = True) -> Row:
    digest = digest_bytes(data)
    source = Source(locator, "text/plain", data if inline else None)
    return Row(digest, digest, "s", "b", len(data), spec=source)


def run(raw: Path, *rows: Row):  # type: ignore[no-untyped-def]
    work = Clean("text", clean.Options(), Raw(raw, {}), function())
    execute(work, work.open(), Job(Part("key", "s", "b", 0, rows)), raw / "out", UsageMeter())
    path = raw / "out" / "key.parquet"
    return pq.read_table(path), read_footer(path)["rejects"]


def test_contents_are_stored_with_a_digest_of_their_own(tmp_path: Path) -> None:
    table, refused = run(tmp_path, row(b"caf\xc3\xa9"), row(b"cafe\xcc\x81"), row(b"tea"))
    assert refused == []
    assert [data.decode() for data in table["data"].to_pylist()] == ["café", "café", "tea"]
    first, second, third = table["content"].to_pylist()
    assert first == second != third
    assert table["characters"].to_pylist() == [4, 4, 3]


def test_what_is_refused_says_why(tmp_path: Path) -> None:
    table, (reject,) = run(tmp_path, row(b"   "), row(b"tea"))
    assert table.num_rows == 1
    assert (reject["reason"], reject["subject"]) == ("empty", digest_bytes(b"   "))


def test_a_bug_in_cleaning_costs_the_row_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(data: bytes, media_type: str, options: clean.Options) -> object:
        if data == b"bad":
            raise ZeroDivisionError
        return "good", {"characters": 4, "words": 1, "script": "Latin"}

    monkeypatch.setattr(clean, "clean", broken)
    table, (reject,) = run(tmp_path, row(b"bad"), row(b"tea"))
    assert table.num_rows == 1
    assert (reject["reason"], reject["message"]) == ("failed", "clean raised ZeroDivisionError")


@pytest.mark.parametrize("harm", ["delete", "alter"])
def test_a_file_that_changed_since_ingest_stops_the_stage(tmp_path: Path, harm: str) -> None:
    (tmp_path / "a.txt").write_bytes(b"tea")
    asked = row(b"tea", "a.txt", inline=False)
    assert run(tmp_path, asked)[0].num_rows == 1
    if harm == "delete":
        (tmp_path / "a.txt").unlink()
    else:
        (tmp_path / "a.txt").write_bytes(b"ten")
    with pytest.raises(PipelineError, match=r"a\.txt.*again"):
        run(tmp_path, asked)
