"""What docs/store.md shows runs, on a store that is like the one it was asked of."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app
from tests.cli.stamps import stamps
from tests.dataset import HERE

__all__ = ["stamps"]
PAGE = (HERE / "docs" / "store.md").read_text()


def shown() -> list[list[str]]:
    """The commands of the page: each begins with `$ ` and ends where its quotes are closed."""
    found = []
    for block in re.findall(r"^```console\n\$ (.*?)^```", PAGE, re.DOTALL | re.MULTILINE):
        lines: list[str] = []
        for line in block.splitlines():
            lines.append(line)
            text = "\n".join(lines)
            if text.count('"') % 2 == 0 and not text.endswith("\\"):
                break
        found.append(shlex.split(text.replace("\\\n", " ")))
    return found


COMMANDS = shown()


def test_the_page_has_its_questions() -> None:
    assert len(COMMANDS) >= 7
    assert {command[0] for command in COMMANDS} == {"pipeline"}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[1:4])[:30])
def test_a_command_of_the_page_answers(stamps: Path, command: list[str]) -> None:
    done = CliRunner().invoke(app, command[1:])
    assert done.exit_code == 0, done.output
    assert len(done.output.splitlines()) > 1


def test_the_python_of_the_page_runs(stamps: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    names: dict[str, object] = {}
    exec(code, names)
    assert names["vectors"].shape == (6, 5)  # type: ignore[attr-defined]
    assert names["table"].num_rows == 2  # type: ignore[attr-defined]


def test_the_page_names_every_command_and_no_other() -> None:
    table = PAGE[PAGE.index("| `pipeline store") : PAGE.index("`--rev REV` asks")]
    said = {one for cell in re.findall(r"^\| (.*?) \|", table, re.MULTILINE) for one in names(cell)}
    (store,) = [one.typer_instance for one in app.registered_groups if one.name == "store"]
    apps = [store, *(one.typer_instance for one in store.registered_groups)]
    assert said == {one.name for each in apps for one in each.registered_commands}


def names(cell: str) -> list[str]:
    return [one for one in re.findall(r"`(\w+)", cell) if one != "pipeline"]
