"""The command, called in this process."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from pipeline.cli.main import app

CALL = CliRunner()


def call(*arguments: str) -> tuple[int, str]:
    """Its exit code and what it printed; a mistake of the program's is raised."""
    done = CALL.invoke(app, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def records(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    """The lines of JSON that it prints in a folder; it must succeed."""
    with contextlib.chdir(folder):
        done = CALL.invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    return [*map(json.loads, done.stdout.splitlines())]
