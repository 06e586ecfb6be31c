"""The card's benchmark: its table, and that a step that fails or hangs costs itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.gpu import run, table

LAW = {"lite0 float32 64": {"rows": 9, "differ": 0, "differs in another process": 0}}
OURS = {
    "encode, lite0 bfloat16": 90.0,
    "encode, bert bfloat16 64 tokens": 70.0,
    "extract, ray, a whole card": {"rows/s": 10.0, "GPU by events": 0.9, "GPU by NVML": 0.9},
    "extract, ray, two halves": {"rows/s": 9.0, "GPU by events": 0.9, "GPU by NVML": 0.0},
    "trees": 1,
}
BARE = {
    "lite0 bfloat16 256": 100.0,
    "lite0 bfloat16 256, without cuDNN": 20.0,
    "bert bfloat16 64 tokens": 100.0,
}


def test_figures_are_ratios_against_goals() -> None:
    told = {name: (value, met) for name, value, _, met in table.lines({"bare": BARE, "ours": OURS})}
    assert told == {
        "lite0 bfloat16 256: cuDNN on ÷ off": (5.0, True),
        "lite0 bfloat16: encode ÷ bare": (0.9, True),
        "bert bfloat16 64 tokens: encode ÷ bare": (0.7, False),
        "extract, ray, a whole card: GPU by events ÷ NVML": (1.0, True),
        "two halves ÷ a whole card": (0.9, False),
        "trees that executors made": (1, True),
    }


def test_a_law_that_does_not_hold_is_missed_and_a_slow_figure_is_not() -> None:
    assert table.missed({"law": LAW, "bare": BARE, "ours": OURS}) == []
    broken = {"lite0 float32 64": {**LAW["lite0 float32 64"], "differ": 2}}
    assert table.missed({"law": broken}) == ["law, lite0 float32 64: rows that differ of 9"]
    failed = {"law": {"failed": "took longer than 1 s"}}
    assert table.missed(failed) == ["step law"]
    assert "took longer than 1 s" in table.text(failed)


def test_a_step_that_fails_costs_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = tmp_path / "gpu.json"
    monkeypatch.setitem(run.STEPS, "law", 0.01)
    chosen = ["--device", "cpu", "--quick", "--only", "law", "machine"]
    monkeypatch.setattr(sys, "argv", ["run", *chosen, "--results", str(results)])
    with pytest.raises(SystemExit, match="missed: step law"):
        run.main()
    told = json.loads(results.read_text())
    assert told["law"] == {"failed": "took longer than 0.01 s"}
    assert told["machine"]["TFLOP/s"] > 0
