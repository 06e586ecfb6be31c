"""The command, called in this process."""

from __future__ import annotations

from typer.testing import CliRunner

from pipeline.cli.main import app

CALL = CliRunner()


def call(*arguments: str) -> tuple[int, str]:
    """Its exit code and what it printed; a mistake of the program's is raised."""
    done = CALL.invoke(app, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output
