"""`pipeline trial`: whether new samples are of the people that others are known to be of."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.arguments import Json, Rev
from pipeline.cli.errors import handle_errors
from pipeline.cli.output import show

# A sample got no answer: the rows of the others stand, with the reasons.
UNANSWERED = 3
PERSON = "enrolled"


@handle_errors
def trial(
    verifier: Annotated[str, typer.Argument(help="A name of params.yaml's `verification`.")],
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT...", help="Files, folders, tables, or - for a list."),
    ],
    enrolled: Annotated[
        list[str],
        typer.Option(
            metavar="[PERSON=]PATH",
            help="A file or folder that is known to be of a person; given once for each.",
        ),
    ],
    rev: Rev = "",
    json: Json = False,
) -> None:
    """Tell whether new samples are of the enrolled people: a log-likelihood ratio and an answer.

    Exits with 3 where a sample got no answer: its row says why.
    """
    from pipeline.core.machine.environment import establish, stated_instructions

    establish(stated_instructions())
    from pipeline.inference.inputs import samples_of
    from pipeline.inference.verification import RawVerifier

    loaded = RawVerifier.load(Path(), verifier, rev or None)
    paths: dict[str, list[str]] = {}
    for each in enrolled:
        # A path may hold a = of its own.
        person, _, path = each.partition("=") if not Path(each).exists() else (PERSON, "", each)
        paths.setdefault(person if path else PERSON, []).append(path or person)
    enrolment = loaded.enrol(
        {person: samples_of(given, loaded.params) for person, given in paths.items()}
    )
    samples = samples_of(inputs, loaded.params, stdin=sys.stdin.buffer)
    answers = [*loaded.answer(enrolment, samples)]
    rows = [asdict(answer) for answer in answers]
    if not json:
        for row in rows:
            row["refused"] = "; ".join(f"{reason}: {why}" for _, _, reason, why in row["refused"])
            row["llr"] = None if row["llr"] is None else float(f"{row['llr']:.3f}")
    show(rows, ("sample_id", "person", "llr", "same", "enrolled", "refused"), json)
    if any(answer.llr is None for answer in answers):
        raise typer.Exit(UNANSWERED)
