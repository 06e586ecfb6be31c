"""What a project came to, in Markdown, and its place in a page."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.execution.run_record import recorded
from pipeline.reporting.format import amount
from pipeline.reporting.inputs import ReportInputs
from pipeline.reporting.results import BEGIN, END, put_results, results


def rows(text: str) -> list[list[str]]:
    """The cells of the first table."""
    table = text.split("\n\n")[1].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_models_stand_by_rank_with_intervals_and_beside_what_looks_at_nothing(
    inputs: ReportInputs,
) -> None:
    text = results(inputs, {}, [])
    heads, _, *models, last = rows(text)
    titles = ["model", "reads", "macro-F1", "accuracy", "calibration error"]
    assert heads == [*titles, "points of macro-F1 to `image`"]
    assert (models[0][-1], last[-1]) == ("", "")
    assert all(re.fullmatch(r"\S+ \(\S+ to \S+\)", row[-1]) for row in models[1:])
    tests = {model.name: model.tasks["category"]["test"] for model in inputs.evaluated}
    ranked = sorted(tests, key=lambda name: -tests[name]["macro_f1"]["value"])
    assert [name for name, *_ in models] == [f"`{name}`" for name in ranked]
    assert ["`attention`", "image, audio and text"] in [row[:2] for row in models]
    measured = tests[ranked[0]]["macro_f1"]
    low, high = (amount(measured[end]) for end in ("low", "high"))
    assert models[0][2] == f"{amount(measured['value'])} ({low} to {high})"
    assert last[:2] == ["*majority*", "nothing"]
    assert text.count("95 % intervals") == 2, "a table a task"


def test_figures_are_those_that_are_asked_for(inputs: ReportInputs) -> None:
    heads = rows(results(inputs, {}, ["macro_recall", "macro_f1"]))[0]
    assert heads[2:4] == ["macro recall", "macro-F1"]
    with pytest.raises(PipelineError, match="unknown figure 'f1'; there are: accuracy"):
        results(inputs, {}, ["f1"])


def test_without_a_model_there_are_none(inputs: ReportInputs) -> None:
    with pytest.raises(PipelineError, match="no model is evaluated, compared or verified yet: run"):
        results(replace(inputs, models=()), {}, [])


def test_the_comparison_tells_what_choosing_gains(inputs: ReportInputs, tmp_path: Path) -> None:
    (tmp_path / "comparison").mkdir()
    for path in inputs.root.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "comparison" / "leaderboard.csv").write_text(
        "model,kind,macro_f1,low,high,together,accuracy,ece\n"
        "chosen:fusion,chosen,0.715,0.671,0.749,0.735,0.8,0.019\nimage,single,0.5,0.4,0.6,,,\n"
    )
    (tmp_path / "comparison" / "paired.csv").write_text(
        "model,other,value,low,high,p,corrected\nchosen:fusion,image,0.215,-0.01,0.3,0.001,0.012\n"
        "late,image,0.1,0.1,0.1,0.1,0.1\n"
    )
    text = results(replace(inputs, root=tmp_path), {}, [])
    assert "| `chosen:fusion` | chosen | 71.5 (67.1 to 74.9) | 73.5 | 80.0 | 0.019 |" in text
    assert "| `image` | single | 50.0 (40.0 to 60.0) |  |  |  |" in text
    minus = "\N{MINUS SIGN}"
    assert f"| `chosen:fusion` | `image` | +21.5 ({minus}1.0 to +30.0) | 0.012 |" in text
    assert "`late`" not in text


def test_a_comparison_alone_is_told(inputs: ReportInputs, tmp_path: Path) -> None:
    (tmp_path / "comparison").mkdir()
    (tmp_path / "comparison" / "leaderboard.csv").write_text(
        "model,kind,macro_f1,low,high,together,accuracy,ece\nimage,single,0.5,0.4,0.6,,,\n"
    )
    (tmp_path / "comparison" / "paired.csv").write_text("model,other,value,low,high,p,corrected\n")
    text = results(replace(inputs, root=tmp_path), {}, [])
    assert text.startswith("**Comparison**, every sample judged once out of fold:\n\n| model |")
    with pytest.raises(PipelineError, match="unknown figure 'accuracy'; there are: none"):
        results(replace(inputs, root=tmp_path), {}, ["accuracy"])


def test_time_and_memory_are_those_of_the_runs_that_made_it(
    inputs: ReportInputs, inside: Path
) -> None:
    for computed in (1, 0):
        with recorded("clean/image") as record:
            record.update(computed=computed, peak_mb=10**6 if computed else 10**9)
    text = results(inputs, {"dvc repro": ["clean/image", "ingest"], "other": ["ingest"]}, [])
    (line,) = (line for line in text.splitlines() if line.startswith("`dvc repro`"))
    assert line.startswith("`dvc repro`: 0.0 minutes, ")
    assert line.endswith("took 1000.0 GB.")
    assert "`other`" not in text


def test_results_are_put_between_the_marks_and_replaced(inside: Path) -> None:
    page = Path("page.md")
    page.write_text(f"# A page\n\n{BEGIN}\nof last year\n{END}\n\nwords\n")
    for text in ("first\n", "second\n"):
        put_results(page, text)
        assert page.read_text() == f"# A page\n\n{BEGIN}\n\n{text}\n{END}\n\nwords\n"


@pytest.mark.parametrize("text", ["words", BEGIN, f"{BEGIN}\n", f"{END}\n{BEGIN}\n"])
def test_a_page_without_marks_is_left_alone(inside: Path, text: str) -> None:
    Path("page.md").write_text(text)
    with pytest.raises(PipelineError, match="has no lines"):
        put_results(Path("page.md"), "results")
    assert Path("page.md").read_text() == text
    with pytest.raises(PipelineError, match="there is no page"):
        put_results(Path("none.md"), "results")
    Path("latin.md").write_bytes("Größe".encode("latin-1"))
    with pytest.raises(PipelineError, match=r"latin\.md is no page: it is not written in UTF-8"):
        put_results(Path("latin.md"), "results")
