"""`pipeline predict`: what a trained model says of files, words, folders and tables."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.arguments import Force, Json
from pipeline.cli.errors import handle_errors
from pipeline.cli.output import show
from pipeline.core.errors import PipelineError
from pipeline.core.terminal import say

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.project.model_files import ModelFiles

# A sample got no answer: all that was asked for stands written, with the reasons.
UNANSWERED = 3
SHARES = ("probabilities.", "contributions.")
# Classes of which a table tells the probability.
SHOWN = 3


@handle_errors
def predict(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Files, folders, tables, - for a list of paths on the standard input; or one "
            "sample by its modalities, such as --image cat.png --text 'a cat'.",
        ),
    ],
    model: Annotated[
        str, typer.Option(help="A model of params.yaml, an alias, or a folder handed over.")
    ] = "champion",
    task: Annotated[
        list[str] | None, typer.Option(help="Only this task of the model; may be given again.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File that answers are written to: .parquet, .csv, .jsonl.")
    ] = None,
    top: Annotated[
        int | None, typer.Option(min=1, help="Probabilities of the K likeliest classes alone.")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also tell what each modality gave to the answer.")
    ] = False,
    given: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TASK=VALUE",
            help="What a task that answers with a text is told, such as caption=fr.",
        ),
    ] = None,
    source: Annotated[
        str, typer.Option(help="Read folders as this source of params.yaml reads its batches.")
    ] = "",
    rev: Annotated[
        str, typer.Option(metavar="REV", help="The model of a branch, tag or commit.")
    ] = "",
    force: Force = False,
    json: Json = False,
) -> None:
    """Answer for new data by a trained model: one row a sample, in the order given.

    Exits with 0 where every sample got an answer, with 3 where one did not: its row says why. After
    a mistake it exits with 1 or 2, and nothing is written.
    """
    from pipeline.core.machine.environment import establish, stated_instructions

    establish(stated_instructions())
    from pipeline.inference.inputs import samples_of
    from pipeline.inference.prediction_files import check_form, prediction_file
    from pipeline.inference.predictor import Predictor
    from pipeline.store.files.output_path import check_free

    if out is not None:
        check_form(out)
        check_free(out, Path(), force)
    predictor = Predictor.of(_files(model, rev))
    samples = samples_of(inputs, predictor.params, source, sys.stdin.buffer)
    tasks = task or None
    begin = dict(_told(each) for each in given or ())
    top = top or (SHOWN if out is None and not json else None)
    counts = {"samples": 0, "answered": 0, "refused contents": 0}

    def answers() -> Iterator[pa.Table]:
        for each in predictor.stream(samples, tasks, top, explain, begin):
            answered = each.answers.num_rows - each.answers["present"].null_count
            counts["samples"] += each.answers.num_rows
            counts["answered"] += answered
            counts["refused contents"] += each.rejects.num_rows - (each.answers.num_rows - answered)
            yield each.answers

    schema = predictor.schema(tasks, explain)
    if out is not None:
        with prediction_file(out, schema) as write:
            for table in answers():
                write(table)
    else:
        _show(answers(), schema, json)
    told = ", ".join(f"{count:,} {what}" for what, count in counts.items())
    say(f"{out or 'predict'}: {told}", error=True)
    if counts["answered"] < counts["samples"]:
        raise typer.Exit(UNANSWERED)


def _told(given: str) -> tuple[str, str]:
    task, mark, value = given.partition("=")
    if not mark:
        raise PipelineError(f"--given {given}: write the task and what it is told, TASK=VALUE")
    return task, value


def _files(model: str, rev: str) -> ModelFiles:
    from pipeline.project.contents import DESCRIPTION
    from pipeline.project.model_files import find_model, open_model

    if (Path(model) / DESCRIPTION).is_file():
        return open_model(Path(model))
    return find_model(Path(), model, rev or None)


def _show(tables: Iterator[pa.Table], schema: pa.Schema, as_json: bool) -> None:
    from pipeline.inference.prediction_files import plain_rows

    rows = (row for table in tables for row in plain_rows(table))
    if as_json:
        show(rows, (), True)
        return
    told = [name for name in schema.names if name.startswith(("answer.", "confidence.", *SHARES))]
    columns = ["sample_id", *told, "refused"]
    show((_brief(row) for row in rows), columns, False)


def _brief(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row for a terminal: shares in words, refusals in a sentence."""
    refused = [
        f"{each['modality'] or 'sample'}: {each['reason']}: {each['message']}"
        for each in row["refused"]
    ]
    shares = {
        name: ", ".join(f"{key} {share:.3g}" for key, share in (value or {}).items())
        for name, value in row.items()
        if name.startswith(SHARES)
    }
    return {**row, **shares, "refused": "; ".join(refused)}
