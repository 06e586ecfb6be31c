"""Confusion matrices keep every sample, however many classes there are."""

from __future__ import annotations

from pathlib import Path

from pipeline.reporting.confusion import REST, _matrix
from pipeline.reporting.inputs import EvaluatedModel


def model(folder: Path, pairs: list[tuple[str, str]]) -> EvaluatedModel:
    lines = [f"t,{truth},{message}" for truth, message in pairs]
    (folder / "confusion.csv").write_text("\n".join(["task,truth,prediction", *lines]) + "\n")
    return EvaluatedModel("m", folder, folder, ())


def test_cells_count_and_shade_by_row(tmp_path: Path) -> None:
    pairs = [("cat", "cat")] * 9 + [("cat", "dog")] + [("dog", "dog")] * 2
    matrix = _matrix(model(tmp_path, pairs), "t", 10)
    assert matrix is not None
    assert matrix["classes"] == ["cat", "dog"]
    cat, dog = matrix["rows"]
    assert [cell["n"] for cell in cat["cells"]] == [9, 1]
    assert [cell["level"] for cell in cat["cells"]] == [9, 1]
    assert [cell["level"] for cell in dog["cells"]] == [0, 10]
    assert matrix["mixed"] == [{"truth": "cat", "said": "dog", "n": 1, "total": 10}]


def test_a_class_that_was_only_said_has_a_row_without_samples(tmp_path: Path) -> None:
    matrix = _matrix(model(tmp_path, [("cat", "fox")]), "t", 10)
    assert matrix is not None
    assert {row["truth"]: row["total"] for row in matrix["rows"]} == {"cat": 1, "fox": 0}


def test_rare_classes_are_put_together(tmp_path: Path) -> None:
    pairs = [(f"c{i}", f"c{j}") for i in range(12) for j in range(i + 1)]
    matrix = _matrix(model(tmp_path, pairs), "t", 5)
    assert matrix is not None
    assert matrix["classes"] == ["c10", "c11", "c8", "c9", REST]
    assert sum(cell["n"] for row in matrix["rows"] for cell in row["cells"]) == len(pairs)


def test_another_task_has_no_matrix(tmp_path: Path) -> None:
    assert _matrix(model(tmp_path, [("cat", "cat")]), "other", 5) is None
