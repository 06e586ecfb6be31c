"""The card's benchmark: its table, and that a step that fails or hangs costs itself."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gpu import peer, run, table
from benchmarks.gpu.step import Setting

LAW = {"lite0 float32 64": {"rows": 9, "differ": 0, "differs in another process": 0}}
STAGE = {
    "rows/s": 72.0,
    "GPU by events": 0.9,
    "GPU by NVML": 0.75,
    "rejected": 0,
    "tree": "one",
    "filled": 0.96,
    "holder ms a row": 0.03,
}
OURS = {
    "encode, lite0 bfloat16": 90.0,
    "encode, bert bfloat16 64 tokens": 70.0,
    "one text at a time, bfloat16": 2.0,
    "feed, lite0": 80.0,
    "extract, lite0, a whole card": STAGE,
    "extract, lite0, two halves": {**STAGE, "rows/s": 70.0, "GPU by NVML": 0.9},
    "extract, vit, a whole card": {**STAGE, "rows/s": 30.0, "filled": 0.9},
}
BARE = {
    "lite0 bfloat16 256": 100.0,
    "lite0 bfloat16 256, without cuDNN": 20.0,
    "vit bfloat16": 40.0,
    "bert bfloat16 64 tokens": 100.0,
}
TRAINING = {
    "examples/s on one CPU thread": 10.0,
    "examples/s": 60.0,
    "examples/s of resident batches": 80.0,
    "first loss, relative difference": 1e-4,
    "differs the second time": 0,
    "differs after a kill": 1,
}


KINDS = {
    "fusion gated": {"differs the second time": 0, "first loss, relative difference": 2e-3},
    "tower gru": {"differs the second time": 1, "first loss, relative difference": 1e-5},
}


def figures(**steps: Any) -> dict[str, tuple[float, bool]]:
    return {name: (round(value, 6), met) for name, value, _, met in table.lines(steps)}


def test_figures_are_ratios_against_goals() -> None:
    assert figures(bare=BARE, ours=OURS, peer={"rows/s": 18.0}) == {
        "lite0 bfloat16 256: cuDNN on ÷ off": (5.0, True),
        "lite0 bfloat16: encode ÷ bare": (0.9, True),
        "bert bfloat16 64 tokens: encode ÷ bare": (0.7, False),
        "bert bfloat16: encode ÷ one text at a time": (35.0, True),
        "extract, lite0 ÷ least of bare and feed": (0.9, True),
        "extract, lite0: rows that are no padding": (0.96, True),
        "extract, lite0, a whole card: GPU by events ÷ NVML": (1.2, False),
        "extract, lite0, two halves: GPU by events ÷ NVML": (1.0, True),
        "extract, lite0: holder, CPU-ms a row": (0.03, True),
        "extract, vit ÷ bare": (0.75, False),
        "extract, vit: rows that are no padding": (0.9, False),
        "extract, vit, a whole card: GPU by events ÷ NVML": (1.2, False),
        "extract, vit: holder, CPU-ms a row": (0.03, True),
        "extract, vit: GPU busy": (0.75, False),
        "two halves ÷ a whole card": (round(70 / 72, 6), True),
        "two halves: bytes differ": (0, True),
        "extract: rows rejected": (0, True),
        "Ray Data's map_batches ÷ ours, lite0": (0.25, True),
    }
    assert figures(training=TRAINING) == {
        "training differs the second time": (0, True),
        "training differs after a kill": (1, False),
        "training: first loss, relative difference": (0.0001, True),
        "training ÷ resident batches": (0.75, False),
        "training ÷ one CPU thread": (6.0, True),
    }
    assert figures(kinds=KINDS) == {
        "training differs the second time, fusion gated": (0, True),
        "training: first loss, relative difference, fusion gated": (0.002, False),
        "training differs the second time, tower gru": (1, False),
        "training: first loss, relative difference, tower gru": (1e-05, True),
    }


def test_a_law_that_does_not_hold_is_missed_and_a_slow_figure_is_not() -> None:
    assert table.missed({"law": LAW, "bare": BARE, "ours": OURS}) == []
    broken = {"lite0 float32 64": {**LAW["lite0 float32 64"], "differ": 2}}
    assert table.missed({"law": broken}) == ["law, lite0 float32 64: rows that differ of 9"]
    assert table.missed({"training": TRAINING}) == ["training differs after a kill"]
    assert table.missed({"kinds": KINDS}) == ["training differs the second time, tower gru"]
    other = {**OURS, "extract, lite0, two halves": {**STAGE, "tree": "another"}}
    assert table.missed({"ours": other}) == ["two halves: bytes differ"]
    failed = {"law": {"failed": "took longer than 1 s"}}
    assert table.missed(failed) == ["step law"]
    assert "took longer than 1 s" in table.text(failed)
    assert "pip install pandas" in table.text({"peer": {"left out": "pip install pandas"}})


def test_a_rate_leaves_out_the_first_quarter() -> None:
    assert peer.rate([(256, 60.0), (256, 70.0), (256, 70.5), (256, 71.0)]) == 768 / 11


def test_all_steps_together_take_nine_minutes_at_most() -> None:
    assert sum(run.STEPS.values()) <= 9 * 60


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


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_rehearsal_takes_every_step_and_breaks_no_law(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    setting = Setting("cpu", True, tmp_path)
    results = {
        step: importlib.import_module(f"benchmarks.gpu.{step}").measure(setting)
        for step in run.STEPS
    }
    assert table.missed(results) == []
    assert json.loads(json.dumps(results)) == results
    told = {name for name, *_ in table.lines(results)}
    assert told > {
        "law, bert float32 64 tokens: rows that differ of 4",
        "lite0 float32: 1 - cosine to the CPU",
        "vit float32: encode ÷ bare",
        "extract, vit ÷ bare",
        "extract, bert: rows that are no padding",
        "two halves: bytes differ",
        "training differs after a kill",
        "training differs the second time, target text",
        "training ÷ resident batches",
    }
    assert [path.name for path in (tmp_path / "cache").rglob("position-law")]
