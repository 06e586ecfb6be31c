"""Test samples that the shown model got right and wrong, to look at, listen to and read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from statistics import median
from typing import Any

from pipeline import registry
from pipeline.digest import digest_bytes
from pipeline.reporting.choice import Choice, choose
from pipeline.reporting.format import language_tag
from pipeline.reporting.inputs import Absent, Inputs
from pipeline.reporting.media.shown import Shown
from pipeline.reporting.options import Options

STRATA = (
    ("wrong", "sure", "Wrong, and sure of it"),
    ("wrong", "unsure", "Wrong, and unsure"),
    ("right", "unsure", "Right, but unsure"),
    ("right", "sure", "Right, and sure of it"),
)


@dataclass(frozen=True)
class Answer:
    """What a model said of one test sample for one task."""

    sample_id: str
    prediction: str
    truth: str
    confidence: float
    top: tuple[tuple[str, float], ...]

    @property
    def right(self) -> bool:
        return self.prediction == self.truth


def build(inputs: Inputs, options: Options) -> dict[str, Any] | Absent:
    choice = choose(inputs)
    if choice is None:
        return Absent("No model has been evaluated yet.")
    answers = _answers(inputs, choice)
    if not answers:
        return Absent("The shown model left no predictions of the test split.")
    if options.gallery == 0:
        return Absent("The report's options ask for no gallery.")
    middle = median(answer.confidence for answer in answers)
    strata = []
    chosen: list[Answer] = []
    for verdict, certainty, title in STRATA:
        pool = [
            answer
            for answer in answers
            if answer.right == (verdict == "right")
            and (answer.confidence >= middle) == (certainty == "sure")
        ]
        picked = diverse(pool, inputs, max(1, options.gallery // len(STRATA)), chosen)
        chosen += picked
        strata.append({"verdict": verdict, "title": title, "of": len(pool), "answers": picked})
    shown = load_shown(
        inputs,
        {
            (modality, digest)
            for answer in chosen
            for modality in inputs.modalities
            if (digest := inputs.by_id[answer.sample_id].get(modality))
        },
        options,
    )
    others = _others(inputs, choice, {answer.sample_id for answer in chosen})
    for stratum in strata:
        stratum["cards"] = [
            _card(answer, inputs, choice, shown, others.get(answer.sample_id, []))
            for answer in stratum.pop("answers")
        ]
    return {"choice": choice, "strata": [stratum for stratum in strata if stratum["cards"]]}


def _answers(inputs: Inputs, choice: Choice) -> list[Answer]:
    classes = choice.shown.classes.get(choice.task, [])
    found = []
    for row in choice.shown.predictions:
        known = row["split"] == "test" and row["task"] == choice.task
        if known and row["truth"] is not None and row["sample_id"] in inputs.by_id:
            pairs = zip(classes, row["probabilities"], strict=False)
            top = tuple(sorted(pairs, key=lambda pair: (-pair[1], pair[0]))[:3])
            sure = max(row["probabilities"], default=0.0)
            found.append(Answer(row["sample_id"], row["prediction"], row["truth"], sure, top))
    return found


def diverse(
    pool: list[Answer], inputs: Inputs, most: int, before: list[Answer] = []
) -> list[Answer]:
    """At most `most` answers, the most extreme confidences first, of as many kinds as there are.

    Never two of a component, and each next one is of the class and attributes shown least so far;
    among equals, confidences being told apart by tenths, the digest of the sample id decides.
    """
    middle = median([answer.confidence for answer in pool]) if pool else 0.0
    ordered = sorted(
        pool,
        key=lambda a: (-round(10 * abs(a.confidence - middle)), digest_bytes(a.sample_id.encode())),
    )
    picked: list[Answer] = []
    taken = {inputs.by_id[answer.sample_id]["component"] for answer in before}
    seen = Counter(trait for answer in before for trait in _traits(answer, inputs))
    while len(picked) < most:
        free = [a for a in ordered if inputs.by_id[a.sample_id]["component"] not in taken]
        if not free:
            break
        best = min(free, key=lambda a: sum(seen[trait] for trait in _traits(a, inputs)))
        picked.append(best)
        taken.add(inputs.by_id[best.sample_id]["component"])
        seen.update(_traits(best, inputs))
    return picked
