"""What a finished project came to, in Markdown: for the page of a recipe, and for whoever asks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.core.errors import PipelineError, unknown
from pipeline.core.files.documents import csv_rows
from pipeline.core.folders import COMPARISON, VERIFICATION
from pipeline.execution.run_record import last_made
from pipeline.models.alignment.retrieval import CUTS
from pipeline.models.comparison.candidate import CHOICE
from pipeline.models.evaluation.nearest import LEAD
from pipeline.models.evaluation.nearest import NAME as NEAREST
from pipeline.models.tasks import HEADLINES, Figure
from pipeline.reporting.choice import rank_models
from pipeline.reporting.difference import model_difference
from pipeline.reporting.format import amount, count, listed, percent, points
from pipeline.reporting.inputs import EvaluatedModel, ReportInputs
from pipeline.reporting.retrieval import Space, spaces
from pipeline.reporting.verification.sections import VerificationData

# Resamples of the paired bootstrap.
DRAWS = 2000
# Between these a page holds what was written there last.
BEGIN, END = "<!-- results -->", "<!-- /results -->"
RANK = {"median_rank": Figure("median rank", share=False, less_is_better=True)}
NAMED = {"accuracy": Figure("accuracy"), "macro_f1": Figure("macro-F1")}
SHARES = {"warm": Figure("these towers"), "cold": Figure("none"), "gain": Figure("gain")}
DASH = "\N{EM DASH}"


def results(
    inputs: ReportInputs, stages: Mapping[str, Sequence[str]], figures: Sequence[str]
) -> str:
    """Figures on the test split with their intervals, the comparison, time and memory.

    Parameters
    ----------
    stages:
        The command that runs them → labels of its stages.
    figures:
        Those that are shown; empty: the headlines of each task.

    Raises
    ------
    PipelineError
        Nothing is evaluated, compared or verified, or no model has a figure of that name.
    """
    known = {
        name
        for model in inputs.evaluated
        for task in model.tasks
        for name in model.task(task).FIGURES
    }
    if wrong := [name for name in figures if name not in known]:
        raise PipelineError(unknown("figure", wrong[0], known))
    tasks = dict.fromkeys(task for model in inputs.evaluated for task in model.tasks)
    blocks = [
        *(_evaluated(inputs, task, figures) for task in tasks),
        *_aligned(inputs),
        *_compared(inputs.root / COMPARISON),
        *verified(inputs.root / VERIFICATION),
    ]
    if not (blocks or inputs.aligned):
        raise PipelineError("no model is evaluated, compared or verified yet: run `dvc repro`")
    return "\n\n".join([*blocks, *_took(stages)]) + "\n"


def put_results(page: Path, text: str) -> None:
    """Put results between the marks of a page, in place of those that stood there.

    Raises
    ------
    PipelineError
        The page is not there, or has no such marks.
    """
    try:
        before, begin, rest = page.read_text(encoding="utf-8").partition(f"{BEGIN}\n")
    except FileNotFoundError:
        raise PipelineError(f"there is no page {page}") from None
    except UnicodeDecodeError:
        raise PipelineError(f"{page} is no page: it is not written in UTF-8") from None
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise PipelineError(f"{page} has no lines `{BEGIN}` and `{END}`: add them where results go")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def _evaluated(inputs: ReportInputs, task: str, shown: Sequence[str]) -> str:
    """The models that learned a task, the best first."""
    models = [model for model in rank_models(inputs.evaluated, task, "test") if task in model.tasks]
    tests = {model.name: model.tasks[task].get("test", {}) for model in models}
    kinds = {name: figure for model in models for name, figure in model.task(task).FIGURES.items()}
    figures = {
        name: kinds[name]
        for name in [name for name in shown if name in kinds] or [*kinds][:HEADLINES]
        if any(name in test for test in tests.values())
    }
    counts: Mapping[str, Any] = next((test for test in tests.values() if test.get("n")), {})
    heading = (
        f"**{task}** on the test split: {count(counts.get('n', 0))} samples, "
        f"{count(counts.get('components', 0))} components, {100 * inputs.confidence:g} % intervals "
        f"by resampling components."
    )
    differences = _differences(inputs, models, task)
    leads = {model.name: _more(tests[model.name].get(LEAD)) for model in models}
    leads = leads if any(leads.values()) else {}
    rows = [
        [
            f"`{model.name}`",
            listed(model.modalities),
            *_cells(tests[model.name], figures),
            *([differences.get(model.name, "")] if differences else []),
            *([leads[model.name]] if leads else []),
        ]
        for model in models
    ]
    trivial = next((_trivial(model, task) for model in models if _trivial(model, task)), None)
    if trivial:
        name, values = trivial
        answers = [amount(values[f], figures[f].share) if f in values else "" for f in figures]
        rows.append([f"*{name}*", "nothing", *answers, *[""] * (bool(differences) + bool(leads))])
    for model in {model.modalities: model for model in reversed(models)}.values():
        if near := tests[model.name].get(NEAREST):
            answers = [amount(near[f], figures[f].share) if f in near else "" for f in figures]
            rows.append([f"*{NEAREST}*", listed(model.modalities), *answers, ""])
    heads = ["model", "reads", *(figure.title for figure in figures.values())]
    if differences:
        heads.append(f"points of macro-F1 to `{models[0].name}`")
    if leads:
        heads.append(f"points of {next(iter(figures.values())).title} to the {NEAREST}")
    return heading + "\n\n" + _table(heads, rows)


def _aligned(inputs: ReportInputs) -> Iterator[str]:
    """What each objective gives, then what each learned space finds, names and saves."""
    measured_spaces = [*spaces(inputs)]
    if measured_spaces:
        yield _objectives(measured_spaces)
    for space in measured_spaces:
        recalls = {**{f"recall_{cut}": Figure(f"recall@{cut}") for cut in CUTS}, **RANK}
        blocks = (
            ("asked → answering", recalls, space.directions, "recall_1"),
            ("told by the classes' names", NAMED, space.named, "accuracy"),
            ("macro-F1 with so many of the labels", SHARES, space.shares, ""),
        )
        yield f"**`{space.model.name}`** on the test split:"
        for head, figures, measured, trivial in blocks:
            rows = [
                [
                    name,
                    *_cells(each, figures),
                    *([percent(each["chance"][trivial])] if trivial else []),
                    count(each["n"]),
                ]
                for name, each in measured.items()
            ]
            chance = [f"{figures[trivial].title} by chance"] if trivial else []
            if rows:
                titles = [figure.title for figure in figures.values()]
                yield _table([head, *titles, *chance, "n"], rows)


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
        cells = _cells({"mean": space.mean_recall, **accuracies}, figures)
        rows.append([f"`{space.model.name}`", objective, *cells])
    heads = ["space", "objective", *(figure.title for figure in figures.values())]
    return "**What finds what** on the test split:\n\n" + _table(heads, rows)


def _differences(
    inputs: ReportInputs, models: Sequence[EvaluatedModel], task: str
) -> dict[str, str]:
    """Model → how it differs from the first on the same samples, by the paired bootstrap."""
    components = {row["sample_id"]: row["component"] for row in inputs.curated}
    differences = {}
    for model in models[1:]:
        difference = model_difference(model, models[0], task, components, DRAWS, inputs.confidence)
        if difference:
            differences[model.name] = _points(difference.value, difference.low, difference.high)
    return differences


def _points(value: float, low: float, high: float) -> str:
    return f"{points(value)} ({points(low)} to {points(high)})"


def _trivial(model: EvaluatedModel, task: str) -> tuple[str, Mapping[str, float]] | None:
    """What the answer that looks at nothing is called and scores."""
    name = model.task(task).TRIVIAL
    values = model.tasks[task].get("test", {}).get(name)
    return (name, values) if values else None


def _cells(test: Mapping[str, Any], figures: Mapping[str, Figure]) -> Iterator[str]:
    for name, figure in figures.items():
        value, low, high = ((test.get(name) or {}).get(end) for end in ("value", "low", "high"))
        if value is None:
            yield DASH
        elif low is None or high is None:
            yield amount(value, figure.share)
        else:
            yield (
                f"{amount(value, figure.share)} "
                f"({amount(low, figure.share)} to {amount(high, figure.share)})"
            )


def _compared(folder: Path) -> Iterator[str]:
    """The comparison's leaderboard and what the choice gains, where it has run."""
    if not (folder / "leaderboard.csv").is_file():
        return
    models, pairs = csv_rows(folder / "leaderboard.csv"), csv_rows(folder / "paired.csv")
    rows = [
        [
            f"`{row['model']}`",
            row["kind"],
            f"{percent(float(row['macro_f1']))} "
            f"({percent(float(row['low']))} to {percent(float(row['high']))})",
            *(percent(float(row[name])) if row[name] else "" for name in ("together", "accuracy")),
            f"{float(row['ece']):.3f}" if row["ece"] else "",
        ]
        for row in models
    ]
    heads = ["model", "kind", "macro-F1", "seeds together", "accuracy", "calibration error"]
    yield "**Comparison**, every sample judged once out of fold:\n\n" + _table(heads, rows)
    chosen = {row["model"] for row in models if row["kind"] == CHOICE}
    gains = [
        [
            f"`{pair['model']}`",
            f"`{pair['other']}`",
            _points(*(float(pair[name]) for name in ("value", "low", "high"))),
            f"{float(pair['corrected']):.3f}",
        ]
        for pair in pairs
        if pair["model"] in chosen
    ]
    if gains:
        heads = ["model", "against", "points of macro-F1", "p, corrected by Holm"]
        yield _table(heads, gains)


def verified(folder: Path) -> Iterator[str]:
    """Each verification's systems, by the equal error rate, and what its threshold costs."""
    for out in sorted(path.parent for path in folder.glob("*/figures.csv")):
        data = VerificationData(out.name, out)
        kinds = list(dict.fromkeys(kind for _, kind in data.kinds))
        mass = f"{100 * data.protocol['options']['confidence']:g} %"
        for enrolled in dict.fromkeys(n for n, _ in data.kinds):
            rows = [
                [
                    f"`{name}`",
                    data.made(name),
                    *(_interval(data.figures.get((name, enrolled, kind)), "eer") for kind in kinds),
                    _more(data.figures[name, enrolled, kinds[0]].get("eer_more")),
                    *(_interval(data.figures[name, enrolled, kinds[0]], figure)
                      for figure in ("miss", "false_acceptance", "cllr")),
                ]
                for name, *rest in data.figures
                if rest == [enrolled, kinds[0]]
            ]  # fmt: skip
            heads = [
                *("system", "scores", *(f"EER, {kind}, %" for kind in kinds)),
                *(
                    f"points to `{data.answers}`",
                    "own refused, %",
                    "others accepted, %",
                    "Cllr, bits",
                ),
            ]
            yield (
                f"**{out.name}**, {count(data.protocol['people'])} people, each known by "
                f"{enrolled} of their samples; {mass} intervals by resampling people.\n\n"
                + _table(heads, rows)
            )


def _more(figure: Mapping[str, Any] | None) -> str:
    """How much more a figure is than the one that it is held against."""
    if figure is None:
        return ""
    if figure["low"] is None:
        return points(figure["value"])
    return _points(figure["value"], figure["low"], figure["high"])


def _interval(figures: Mapping[str, Any] | None, name: str) -> str:
    """A figure of a verification with its interval; Cllr is no share."""
    if figures is None:
        return DASH
    value, low, high = (figures[name][end] for end in ("value", "low", "high"))
    written = "{:.2f}".format if name == "cllr" else percent
    return (
        written(value) if low is None else f"{written(value)} ({written(low)} to {written(high)})"
    )


def _took(stages: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Time and memory of the runs of this machine that made what stands here."""
    for command, labels in stages.items():
        runs = [run for run in map(last_made, labels) if run]
        if not runs:
            continue
        minutes, cpu = (sum(run[name] for run in runs) / 60 for name in ("seconds", "cpu_seconds"))
        memory = max(run["peak_mb"] for run in runs) / 1000
        yield (
            f"`{command}`: {minutes:.1f} minutes, {cpu:.1f} of a processor's; the largest process "
            f"took {memory:.1f} GB."
        )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
