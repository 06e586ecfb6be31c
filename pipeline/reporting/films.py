"""Films on their time axis: pictures and sound, what is true of each span, and what was said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.core.folders import CLEAN, SAMPLES
from pipeline.core.spans import Span, clock
from pipeline.modalities import measures
from pipeline.parts import manifest
from pipeline.raw.tracks import takes_spans
from pipeline.reporting.choice import Choice, of_evaluated_models
from pipeline.reporting.format import percent
from pipeline.reporting.inputs import Absent, EvaluatedModel, ReportInputs
from pipeline.reporting.options import ReportOptions
from pipeline.reporting.plots.scale import Scale
from pipeline.reporting.plots.timeline import SpanMark, axis, cells, hue, spans
from pipeline.reporting.reasons import has_one_class, no_task
from pipeline.reporting.sampling import by_digest
from pipeline.reporting.strips import strips_of
from pipeline.store.trees.tree import WorkTree
from pipeline.store.windows import spans_of_samples

# Spans drawn of a film, at most.
MOST_SPANS = 300
NONE = Absent("No sample that was answered for is a film, or a span of one.")


@dataclass(frozen=True)
class Film:
    """A file and the samples that are spans of it, in the order of time; `more` are not shown."""

    name: str
    pieces: Mapping[str, Span]
    more: int

    @property
    def duration(self) -> int:
        """Until the last span ends, in ms."""
        return max(span.end for span in self.pieces.values())


@of_evaluated_models
def build(inputs: ReportInputs, options: ReportOptions, choice: Choice) -> dict[str, Any] | Absent:
    if not options.films:
        return Absent("The report's options ask for no films.")
    classified = [
        (model, task)
        for model in inputs.evaluated
        for task in model.tasks
        if has_one_class(model.task(task))
    ]
    if not classified:
        return no_task([(choice.shown, choice.task)], has_one_class, NONE.note)
    answers = {(model.name, task): _answers(model, task) for model, task in classified}
    answered = {sample for by_sample in answers.values() for sample in by_sample}
    films = list(_films(inputs, answered, options.films))
    if not films:
        return NONE
    return {
        "choice": choice,
        "tasks": {task: [(name, hue(place)) for place, name in enumerate(model.classes[task])]
                  for model, task in reversed(classified)},
        "films": [_draw(film, inputs, answers) for film in films],
    }  # fmt: skip


def _answers(model: EvaluatedModel, task: str) -> dict[str, dict[str, Any]]:
    """Sample → its row of the predictions of the test split."""
    return {
        row["sample_id"]: row
        for row in model.predictions
        if (row["task"], row["split"]) == (task, "test") and row["truth"] is not None
    }


def _films(inputs: ReportInputs, answered: set[str], most: int) -> Iterator[Film]:
    """Those of which most spans were answered for."""
    cut = _spans_of_samples(inputs)
    pieces_by_film: dict[str, list[tuple[Span, str]]] = {}
    for sample, (name, span) in cut.items():
        if sample in inputs.by_id:
            pieces_by_film.setdefault(name, []).append((span, sample))
    counts = {
        name: sum(sample in answered for _, sample in pieces)
        for name, pieces in pieces_by_film.items()
    }
    ranked = sorted(counts, key=lambda name: (-counts[name], by_digest(name)))
    for name in ranked[:most]:
        if counts[name]:
            pieces = sorted(pieces_by_film[name])
            span_of_sample = {sample: span for span, sample in pieces[:MOST_SPANS]}
            yield Film(name, span_of_sample, len(pieces) - len(span_of_sample))


def _spans_of_samples(inputs: ReportInputs) -> dict[str, tuple[str, Span]]:
    """Sample → the film that it is a span of, or is itself, and the span."""
    timed = [name for name in inputs.modalities if takes_spans(name)]
    if inputs.stage(SAMPLES) is None or not timed:
        return {}
    cut = spans_of_samples(WorkTree(inputs.root))
    for modality in timed:
        stage = inputs.stage(f"{CLEAN}/{modality}")
        if stage is None or not measures(modality, "duration"):
            continue
        rows = manifest.read(stage.out, ["digest", "duration"]).to_pylist()
        seconds = {row["digest"]: row["duration"] for row in rows}
        for sample, row in inputs.by_id.items():
            if sample not in cut and row[modality] in seconds:
                cut[sample] = sample, Span(0, round(1000 * seconds[row[modality]]))
    return cut


def _draw(
    film: Film,
    inputs: ReportInputs,
    answers: Mapping[tuple[str, str], Mapping[str, Mapping[str, Any]]],
) -> dict[str, Any]:
    scale = Scale(0, film.duration, ())
    strips = sorted(
        strips_of(inputs, film.pieces, film.duration), key=lambda each: each[1].picture is None
    )
    classes = {
        (model.name, task): list(model.classes[task])
        for model in inputs.evaluated
        for task in model.tasks
        if (model.name, task) in answers
    }
    # A class has one colour, whichever model answers.
    palette = {task: names for (_, task), names in reversed(classes.items())}
    truths = {task: _truths(film, inputs, task, names) for task, names in palette.items()}
    tracks = []
    for (model, task), rows in answers.items():
        marks = [
            _mark(span, rows[sample], classes[model, task], palette[task])
            for sample, span in film.pieces.items()
            if sample in rows
        ]
        right = sum(mark.kind != "wrong" for mark in marks)
        label = f"{task} as {model} told it: {right} of {len(marks)} spans of the test rightly"
        tracks.append(
            {"model": model, "task": task, "right": right, "n": len(marks),
             "plot": spans(marks, scale, label)}
        )  # fmt: skip
    return {
        "film": film,
        "strips": [
            {"modality": modality, "strip": strip, "times": cells(strip.times)}
            for modality, strip in strips
        ],
        "truths": [
            (task, spans(marks, scale, f"{task} of the spans")) for task, marks in truths.items()
        ],
        "tracks": tracks,
        "axis": axis(scale),
    }


def _truths(film: Film, inputs: ReportInputs, task: str, classes: list[str]) -> list[SpanMark]:
    """What is true of each span, paler of those that are not of the test split."""
    marks = []
    for sample, span in film.pieces.items():
        row = inputs.by_id[sample]
        truth = row.get(f"target.{task}")
        if truth is not None:
            tooltip = f"{_between(span)}: {truth}, {row['split']}"
            kind = "" if row["split"] == "test" else "aside"
            marks.append(SpanMark(span, hue(_place(truth, classes)), tooltip, kind))
    return marks


def _mark(span: Span, row: Mapping[str, Any], classes: list[str], palette: list[str]) -> SpanMark:
    """What a model predicted of a span; `classes` are the model's, in the order of its answers."""
    prediction, truth = row["prediction"], row["truth"]
    place = _place(prediction, classes)
    probability = f" ({percent(row['probabilities'][place])} %)" if place >= 0 else ""
    tooltip = f"{_between(span)}: predicted {prediction}{probability}, true is {truth}"
    return SpanMark(
        span, hue(_place(prediction, palette)), tooltip, "" if prediction == truth else "wrong"
    )


def _place(name: str, classes: list[str]) -> int:
    return classes.index(name) if name in classes else -1


def _between(span: Span) -> str:
    return f"{clock(span.start)} to {clock(span.end)}"
