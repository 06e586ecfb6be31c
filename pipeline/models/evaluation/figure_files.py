"""Figures on disk: metrics.json has what DVC compares, figures.csv all, with their intervals."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from pipeline.core.files.documents import csv_rows, reading

METRICS, TABLE = "metrics.json", "figures.csv"
COLUMNS = ("task", "split", "figure", "value", "low", "high")
# Samples, their components, and samples of which the model sees nothing.
COUNTS = ("n", "components", "unseen")

# Task → split → figure → {value, low, high}; counts are plain numbers, and what an answer that
# looks at nothing scores is a mapping of such. Over few components there are no low and high.
Measured = Mapping[str, Mapping[str, Mapping[str, Any]]]


def figure_rows(measured: Measured) -> Iterator[dict[str, Any]]:
    """The rows of figures.csv."""
    for task, splits in measured.items():
        for split, figures in splits.items():
            for name, figure in figures.items():
                where = {"task": task, "split": split}
                if not isinstance(figure, Mapping):
                    yield {**where, "figure": name, "value": figure}
                elif "value" in figure:
                    yield {**where, "figure": name, **figure}
                else:
                    for of, value in figure.items():
                        yield {**where, "figure": f"{name}/{of}", "value": value}


def write_headlines(
    folder: Path, primary: str, headlines: Mapping[str, Mapping[str, Mapping[str, float]]]
) -> None:
    """metrics.json: of the test split each task's first, of validation that which chooses models.

    A column each is what a terminal has room for.

    headlines: split → task → figure → value.
    """
    chosen = {
        split: {
            task: dict(islice(figures.items(), 1))
            for task, figures in tasks.items()
            if split == "test" or task == primary
        }
        for split, tasks in headlines.items()
    }
    text = json.dumps(chosen, indent=1, ensure_ascii=False) + "\n"
    (folder / METRICS).write_text(text, encoding="utf-8")


def read_rows(folder: Path) -> list[dict[str, str]]:
    """The rows of figures.csv; none where it isn't there."""
    path = folder / TABLE
    return csv_rows(path) if path.is_file() else []


def read_figures(folder: Path) -> dict[str, Any]:
    """What `figure_rows` were made of."""
    splits_by_task: dict[str, Any] = {}
    with reading(folder / TABLE):
        for row in read_rows(folder):
            figures = splits_by_task.setdefault(row["task"], {}).setdefault(row["split"], {})
            value = parse_number(row["value"])
            answer, _, of = row["figure"].partition("/")
            if of:
                figures.setdefault(answer, {})[of] = value
            elif answer in COUNTS:
                figures[answer] = value
            else:
                low, high = parse_number(row["low"]), parse_number(row["high"])
                figures[answer] = {"value": value, "low": low, "high": high}
    return splits_by_task


def parse_number(text: str) -> float | int | None:
    """A cell; None of an empty one."""
    if text.isdigit():
        return int(text)
    return float(text) if text else None
