"""model_card.md: what a model is, does and cannot do, in the form of the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.core.nested import flatten
from pipeline.models.saving import GRAPH, WEIGHTS
from pipeline.models.tasks import ranked_by
from pipeline.packaging.annex_iv import points
from pipeline.packaging.header import model_header
from pipeline.packaging.licences import hub_name
from pipeline.packaging.limits import limits
from pipeline.packaging.markdown import render
from pipeline.packaging.weights import EncoderWeights
from pipeline.params.sections import HandoverOptions
from pipeline.reporting.inputs import EvaluatedModel, ReportInputs
from pipeline.reporting.robustness import KINDS


@dataclass(frozen=True)
class Preprocessing:
    """One function before the model: `clean/<modality>` or `extract/<encoder>`.

    `digest` is that of its fingerprint, in which code, options, weights and libraries are.
    """

    name: str
    options: Mapping[str, Any]
    digest: str


def model_card(
    inputs: ReportInputs,
    model: EvaluatedModel,
    *,
    data: str,
    data_card: str,
    handover: HandoverOptions,
    preprocessing: Sequence[Preprocessing],
    weights: Sequence[EncoderWeights],
    digests: Mapping[str, str],
    graph: bool,
) -> str:
    """The card of a model.

    Parameters
    ----------
    data, data_card:
        What the data is called, and the file of its card.
    digests:
        Name → digest of what the model consists of and was made from.
    graph:
        Whether a graph of ONNX lies beside it.
    """
    card = model.card
    return render(
        "model_card.md",
        header=model_header(inputs, model, data, handover.licence),
        model=model,
        data=data,
        data_card=data_card,
        card=card,
        handover=handover,
        hub_licence=hub_name(handover.licence),
        tasks=[_task(inputs, model, task) for task in model.tasks],
        limits=[limits(model, task) for task in model.tasks],
        training=[
            (name, _text(value))
            for name, value in flatten(card["options"])
            if value not in (None, [], {}, "")
        ],
        preprocessing=[
            (each, ", ".join(f"{key}: {_text(value)}" for key, value in flatten(each.options)))
            for each in preprocessing
        ],
        processors=sorted({function["processor"] for function in card["made_by"].values()}),
        pythons=sorted({function["python"] for function in card["made_by"].values()}),
        weights=weights,
        data_licences=sorted({row["licence"] or "not stated" for row in inputs.curated}),
        annex=points(handover, data_card),
        digests=digests,
        weights_file=GRAPH if GRAPH in digests else WEIGHTS,
        graph=graph,
        worsened=KINDS,
        confidence=inputs.confidence,
    )


def _task(inputs: ReportInputs, model: EvaluatedModel, task: str) -> dict[str, Any]:
    """What a task answers, how its answer is read off, and its figures on the test split."""
    kind, described = model.task(task), model.card["tasks"][task]
    measured = model.tasks[task]["test"]
    return {
        "name": task,
        "kind": described["kind"],
        "is_text": kind.SEQUENCE,
        "classes": [] if kind.SEQUENCE else model.classes[task],
        "temperature": described.get("temperature"),
        "thresholds": described.get("thresholds", []),
        "trivial": kind.TRIVIAL,
        "ranked_by": ranked_by(kind),
        "counts": {name: measured[name] for name in ("n", "components", "unseen")},
        "figures": [
            (figure, measured[name], measured.get(kind.TRIVIAL, {}).get(name))
            for name, figure in kind.FIGURES.items()
            if name in measured
        ],
    }


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
