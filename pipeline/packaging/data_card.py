"""data_card.md: what the data is, in the form of the Hugging Face hub's dataset cards."""

from __future__ import annotations

from pipeline.packaging.header import data_header
from pipeline.packaging.markdown import render
from pipeline.reporting import datacard
from pipeline.reporting.inputs import Absent, ReportInputs
from pipeline.reporting.options import ReportOptions


def data_card(inputs: ReportInputs, name: str) -> str:
    """The card of the data that a project's models are trained and measured on.

    Parameters
    ----------
    name:
        What the data is called.
    """
    told = datacard.build(inputs, ReportOptions.model_validate({}))
    assert not isinstance(told, Absent), "an evaluated model has finished stages before it"
    return render(
        "data_card.md",
        header=data_header(inputs, name),
        name=name,
        data=told,
        targets=inputs.targets,
        rejects=[
            (stage.name, reason, sum(reject.reason == reason for reject in stage.rejects))
            for stage in inputs.stages
            for reason in sorted({reject.reason for reject in stage.rejects})
        ],
        digests=sorted(inputs.digests().items()),
    )
