from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli import runs
from pipeline.execution.run_record import FOLDER, outcome, recorded, records

STAGE = "evaluate/concatenation"


def test_a_run_fits_eighty_columns_and_tells_its_rows(
    inside: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with recorded(STAGE) as record:
        record |= {"planned": 4000, "computed": 3999, "computed_rows": 1_000_000, "peak_mb": 12345}
        record |= {"verb": "encoded", "reused_rows": 123_456}
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    runs.show_runs(records(STAGE), json=False)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert max(map(len, shown.splitlines())) <= 80
    joined = " ".join(shown.split())
    for part in (STAGE, "3999 of 4000", "1000000", "encoded", "123456", "12345"):
        assert part in joined


def test_a_killed_run_is_interrupted_and_one_that_raises_has_failed(inside: Path) -> None:
    script = (
        "import os, signal\n"
        "from pipeline.execution.run_record import recorded\n"
        f"with recorded({STAGE!r}):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    killed = subprocess.run([sys.executable, "-c", script], env=path, check=False)
    assert killed.returncode == -9
    with pytest.raises(KeyboardInterrupt), recorded(STAGE):
        raise KeyboardInterrupt
    with pytest.raises(ValueError, match="wrong"), recorded(STAGE):
        raise ValueError("wrong")
    with recorded(STAGE):
        assert outcome(records(STAGE)[-1]) == "running"
    assert [outcome(one) for one in records(STAGE)] == [
        "interrupted", "interrupted", "failed", "done",
    ]  # fmt: skip
    assert [*FOLDER.iterdir()] == [FOLDER / "evaluate@concatenation.jsonl"]
