"""`pipeline nightly`: what landed, judged each night; and what people decide about it."""

from __future__ import annotations

import typer

from pipeline.cli.nightly import (
    contracts,
    decisions,
    records,
    runs,
    schedules,
    simulations,
)

app = typer.Typer(
    help="What lands is taken in, judged and promoted or held, without people.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command(epilog=runs.EXITS)(runs.run)
for command in (
    runs.abandon,
    decisions.promote,
    decisions.hold,
    decisions.rollback,
    decisions.held,
    decisions.release,
    decisions.discard,
    decisions.withdraw,
    runs.rerun,
    records.history,
    records.status,
    schedules.schedule,
    simulations.simulate,
):
    app.command()(command)
app.command(name="show")(records.show_run)
app.command(name="learn-contract")(contracts.learn_contract)
