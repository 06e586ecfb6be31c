"""What the learned spaces find, name and save on the test split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.models.alignment.retrieval import CUTS
from pipeline.models.tasks import Figure
from pipeline.reporting.format import count, percent
from pipeline.reporting.inputs import ReportInputs
from pipeline.reporting.results.table import figure_cells, markdown_table
from pipeline.reporting.retrieval import Space, spaces

RECALLS = {
    **{f"recall_{cut}": Figure(f"recall@{cut}") for cut in CUTS},
    "median_rank": Figure("median rank", share=False, less_is_better=True),
}
NAMED = {"accuracy": Figure("accuracy"), "macro_f1": Figure("macro-F1")}
SHARES = {"warm": Figure("these towers"), "cold": Figure("none"), "gain": Figure("gain")}


def space_tables(inputs: ReportInputs) -> Iterator[str]:
    """What each objective gives, then what each learned space finds, names and saves."""
    measured_spaces = [*spaces(inputs)]
    if measured_spaces:
        yield _objectives(measured_spaces)
    for space in measured_spaces:
        blocks = (
            ("asked → answering", RECALLS, space.directions, "recall_1"),
            ("told by the classes' names", NAMED, space.named, "accuracy"),
            ("macro-F1 with so many of the labels", SHARES, space.shares, ""),
        )
        yield f"**`{space.model.name}`** on the test split:"
        for head, figures, measured, trivial in blocks:
            rows = [
                [
                    name,
                    *figure_cells(each, figures),
                    *([percent(each["chance"][trivial])] if trivial else []),
                    count(each["n"]),
                ]
                for name, each in measured.items()
            ]
            chance = [f"{figures[trivial].title} by chance"] if trivial else []
            if rows:
                titles = [figure.title for figure in figures.values()]
                yield markdown_table([head, *titles, *chance, "n"], rows)


def _objectives(measured_spaces: Sequence[Space]) -> str:
    """Space by space: by what it was learned, what it finds on average, what names alone tell."""
    named = dict.fromkeys(name for space in measured_spaces for name in space.named)
    figures = {
        "mean": Figure("mean recall"),
        **{name: Figure(f"{name}, accuracy") for name in named},
    }
    rows = []
    for space in measured_spaces:
        weight = space.options["reconstruction"]
        objective = space.options["loss"] + (f" and {weight:g} of reconstruction" if weight else "")
        accuracies = {name: space.named[name]["accuracy"] for name in named if name in space.named}
        cells = figure_cells({"mean": space.mean_recall, **accuracies}, figures)
        rows.append([f"`{space.model.name}`", objective, *cells])
    heads = ["space", "objective", *(figure.title for figure in figures.values())]
    return "**What finds what** on the test split:\n\n" + markdown_table(heads, rows)
