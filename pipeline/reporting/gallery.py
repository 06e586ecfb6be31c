"""Test samples that the shown model got right and wrong, to look at, listen to and read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.core.media_card import MediaCard
from pipeline.models.tasks import Task
from pipeline.reporting.choice import Choice, of_evaluated_models
from pipeline.reporting.content import make_card, unpack_contents
from pipeline.reporting.format import language_tag
from pipeline.reporting.inputs import Absent, EvaluatedModel, ReportInputs
from pipeline.reporting.options import ReportOptions
from pipeline.reporting.reasons import has_classes, no_task
from pipeline.reporting.sampling import Answer, strata


@of_evaluated_models
def build(inputs: ReportInputs, options: ReportOptions, choice: Choice) -> dict[str, Any] | Absent:
    if options.gallery < 4:
        return Absent("The report's options ask for no gallery.")
    answers = _answers(inputs, choice.shown, choice.task)
    if not answers:
        return no_task(
            [(choice.shown, choice.task)],
            has_classes,
            f"{choice.shown.name} left no predictions of classes of the test split.",
        )
    sampled = strata(answers, inputs.by_id, options.gallery)
    ids = {answer.sample_id for stratum in sampled for answer in stratum.answers}
    media = media_of(inputs, ids, options)
    asides = _asides(choice, ids)
    shares = _contributions(choice.shown, choice.task, inputs.modalities)
    return {
        "choice": choice,
        "strata": [
            {
                "stratum": stratum,
                "cards": [
                    _card(answer, inputs, media, asides.get(answer.sample_id, []), shares)
                    for answer in stratum.answers
                ],
            }
            for stratum in sampled
        ],
    }


def _answers(inputs: ReportInputs, model: EvaluatedModel, task: str) -> list[Answer]:
    """The model's answers on the test split, likeliest three classes each; none of a number.

    A text has no other classes beside it, and its own probability.
    """
    generated = model.task(task).SEQUENCE
    classes = model.classes.get(task, [])
    answers = []
    for row in model.predictions:
        relevant = row["split"] == "test" and row["task"] == task and row["truth"] is not None
        if relevant and row["probabilities"] and row["sample_id"] in inputs.by_id:
            shares = {} if generated else dict(zip(classes, row["probabilities"], strict=False))
            likely = sorted(shares.items(), key=lambda p: (-p[1], p[0]))
            answers.append(
                Answer(
                    sample_id=row["sample_id"],
                    prediction=row["prediction"],
                    truth=row["truth"],
                    confidence=row["probabilities"][0]
                    if generated
                    else _certainty(model.task(task), row["prediction"], shares),
                    top=tuple(likely[:3]),
                )
            )
    return answers


def _certainty(task: Task, prediction: str, shares: Mapping[str, float]) -> float:
    """The probability of what was said, be it the likeliest or not; of labels, the least sure."""
    decision = task.encode([prediction], list(shares))
    return float(task.certainty(np.array([[*shares.values()]]), decision)[0])


def _asides(choice: Choice, ids: set[str]) -> dict[str, list[dict[str, str]]]:
    """What else was said of a sample: by the shown model of other tasks, by the single one."""
    asides: dict[str, list[dict[str, str]]] = {}
    for model in (choice.shown, choice.single):
        for row in model.predictions if model else ():
            relevant = (
                row["split"] == "test" and row["sample_id"] in ids and row["truth"] is not None
            )
            is_shown_model = model is choice.shown
            if (
                model
                and relevant
                and row["probabilities"]
                and is_shown_model != (row["task"] == choice.task)
            ):
                who = row["task"] if is_shown_model else f"{model.name} alone"
                verdict = "right" if row["prediction"] == row["truth"] else "wrong"
                aside = {"who": who, "said": row["prediction"], "verdict": verdict}
                asides.setdefault(row["sample_id"], []).append(aside)
    return asides


def _contributions(
    model: EvaluatedModel, task: str, order: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Sample → modality → what it gave to the answer's log-probability, in nats.

    Empty for a model of one modality, which gives all there is.
    """
    values_by_sample: dict[str, dict[str, float]] = {}
    if len(model.modalities) > 1:
        for row in model.table("contributions"):
            if (row["task"], row["level"]) == (task, "sample"):
                values_by_sample.setdefault(row["name"], {})[row["modality"]] = float(row["value"])
    return {key: {m: each[m] for m in order if m in each} for key, each in values_by_sample.items()}


def media_of(
    inputs: ReportInputs, ids: set[str], options: ReportOptions
) -> dict[tuple[str, str], MediaCard]:
    """(modality, digest) → what to show, for the assets of these samples."""
    media = {}
    for modality in inputs.modalities:
        digests = {d for key in ids if (d := inputs.by_id[key].get(modality))}
        for digest, content in unpack_contents(inputs, modality, digests).items():
            card = make_card(modality, content, options)
            if card is not None:
                media[modality, digest] = card
    return media


def sample_card(
    inputs: ReportInputs, sample_id: str, media: dict[tuple[str, str], MediaCard]
) -> dict[str, Any]:
    """A sample as a card shows it: its pieces by modality, and what it lacks.

    `pictured` says whether any card beside it has a picture, so that it has a place for one.
    """
    row = inputs.by_id[sample_id]
    language = row.get("target.language") or row["attributes"].get("language")
    return {
        "sample": row,
        "language": language_tag(language),
        "pictured": any(piece.picture and not piece.sound for piece in media.values()),
        "shown": {
            modality: piece
            for modality in inputs.modalities
            if (piece := media.get((modality, row.get(modality) or "")))
        },
        "absent": [
            modality
            for modality in inputs.modalities
            if (modality, row.get(modality) or "") not in media
        ],
    }


def _card(
    answer: Answer,
    inputs: ReportInputs,
    media: dict[tuple[str, str], MediaCard],
    asides: list[dict[str, str]],
    shares: dict[str, dict[str, float]],
) -> dict[str, Any]:
    return {
        **sample_card(inputs, answer.sample_id, media),
        "answer": answer,
        "asides": asides,
        "given": shares.get(answer.sample_id, {}),
    }
