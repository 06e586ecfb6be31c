"""The YAML headers of the cards, as the Hugging Face hub reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from huggingface_hub import DatasetCardData, EvalResult, ModelCardData
from markupsafe import Markup

from pipeline.core.folders import CURATED
from pipeline.packaging.licences import hub_fields, hub_name
from pipeline.reporting.inputs import EvaluatedModel, ReportInputs

LIBRARY = "multimodal-pipeline"
# Samples below which each of the hub's size categories ends.
SIZES = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K", 1_000_000: "100K<n<1M"}
LARGER = "n>1M"


def model_header(inputs: ReportInputs, model: EvaluatedModel, data: str, licence: str) -> Markup:
    """That of a model's card, with its figures on the test split.

    Parameters
    ----------
    data:
        What the data is called that it was measured on.
    licence:
        Of the weights; blank where nobody said.
    """
    results = [*_results(inputs, model, data)]
    header = ModelCardData(
        model_name=model.name,
        library_name=LIBRARY,
        language=_languages(inputs),
        tags=[*model.modalities, *({"multimodal"} if len(model.modalities) > 1 else ())],
        metrics=sorted({result.metric_type for result in results}),
        eval_results=results,
        **hub_fields(licence),
    )
    return _yaml(header)


def data_header(inputs: ReportInputs, name: str) -> Markup:
    """That of the data's card."""
    stated = sorted({row["licence"] for row in inputs.curated if row["licence"]})
    samples = len(inputs.curated)
    header = DatasetCardData(
        pretty_name=name,
        language=_languages(inputs),
        tags=[*inputs.modalities],
        license=sorted({hub_name(licence) or "other" for licence in stated}) or None,
        size_categories=next(
            (category for most, category in SIZES.items() if samples < most), LARGER
        ),
    )
    return _yaml(header)


def _yaml(header: ModelCardData | DatasetCardData) -> Markup:
    return Markup(header.to_yaml(line_break="\n").strip())


def _results(inputs: ReportInputs, model: EvaluatedModel, data: str) -> Iterator[EvalResult]:
    """The figures of each task, by their names here."""
    revision = inputs.digests()[CURATED]
    for task, splits in model.tasks.items():
        figures = model.task(task).FIGURES
        for name, figure in figures.items():
            if name in splits["test"]:
                yield EvalResult(
                    task_type="other",
                    task_name=task,
                    dataset_type=re.sub(r"[^a-z0-9]+", "-", data.lower()),
                    dataset_name=data,
                    dataset_config=task,
                    dataset_split="test",
                    dataset_revision=revision,
                    metric_type=name,
                    metric_name=figure.title,
                    metric_value=splits["test"][name]["value"],
                )


def _languages(inputs: ReportInputs) -> list[str] | None:
    """What the samples' language is said to be, by ISO 639, where they have one."""
    values: Iterable[Any] = (
        row.get("target.language") or row["attributes"].get("language") for row in inputs.curated
    )
    tags = {re.split("[-_]", str(value))[0].lower() for value in values if value}
    return sorted(tag for tag in tags if re.fullmatch("[a-z]{2,3}", tag)) or None
