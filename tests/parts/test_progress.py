from __future__ import annotations

import io

import pytest

from pipeline.parts import progress
from pipeline.parts.job import CompletedPart, ResourceUsage
from pipeline.parts.part import Entry
from pipeline.parts.progress import Tally, reading_bytes, track


def made(key: str, worker: str = "a") -> CompletedPart:
    return CompletedPart(
        Entry(key, "s", "b", 0, 5, 0, 1, ""),
        ResourceUsage(worker, cpu_seconds=1.0, gpu_seconds=0.5),
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_says_rows_rate_time_left_and_how_busy_each_worker_is() -> None:
    tally = Tally(400, now=100.0)
    assert tally.line(100.0) == "0 of 400 rows, 0.0 rows/s"
    tally.add(60, made("1", "a").use)
    tally.add(60, made("2", "b").use)
    assert tally.line(104.0) == (
        "120 of 400 rows, 30.0 rows/s, 0:09 left; 2 workers at 25% of a CPU, 12% of a GPU"
    )
    tally.add(0, ResourceUsage("a", cpu_seconds=5.0))
    assert "at 44% of a CPU" in tally.line(108.0)
    assert "1:02:13 left" in Tally.line(tally, 100.0 + 120 * (3733 / 280))


def test_parts_pass_through_and_short_work_says_nothing() -> None:
    file = io.StringIO()
    parts = [made(str(n)) for n in range(3)]
    assert list(track("toy", parts, {str(n): 5 for n in range(3)}, file)) == parts
    assert not file.getvalue()


def test_where_there_is_no_terminal_long_work_logs_plain_lines(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    caplog.set_level("INFO", "pipeline.parts.progress")
    list(track("toy", [made("0"), made("1")], {"0": 5, "1": 7}, io.StringIO()))
    assert len(caplog.messages) == 2
    assert caplog.messages[1].startswith("toy: 12 of 12 rows, ")


def test_on_a_terminal_a_bar_is_shown_and_taken_away() -> None:
    file = Terminal()
    list(track("toy", [made("0")], {"0": 5}, file))
    assert "5 of 5 rows" in file.getvalue()


def test_what_ends_the_work_passes_through() -> None:
    def failing():  # type: ignore[no-untyped-def]
        yield made("0")
        raise KeyboardInterrupt

    for file in (io.StringIO(), Terminal()):
        with pytest.raises(KeyboardInterrupt):
            list(track("toy", failing(), {"0": 5, "1": 5}, file))


@pytest.mark.parametrize("file", [io.StringIO(), Terminal()], ids=["pipe", "terminal"])
def test_what_is_read_passes_through_and_its_bytes_are_told(
    monkeypatch: pytest.MonkeyPatch, file: io.StringIO
) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    read = [("a", "", 1000), ("b", "damaged", 3000)]
    assert list(reading_bytes("validate", read, 4000, file)) == [("a", ""), ("b", "damaged")]
    assert "validate" in file.getvalue()
    if not file.isatty():
        assert file.getvalue().splitlines()[-1] == "validate: 4.0 kB of 4.0 kB"
