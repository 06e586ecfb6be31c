"""What the command says on stderr: a level, text or JSON lines, and workers that keep quiet."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.core.logs import FORMAT, LEVEL, configure, configure_worker

logger = logging.getLogger("pipeline.toy")


@pytest.fixture(autouse=True)
def unconfigured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    root, own = logging.getLogger(), logging.getLogger("pipeline")
    levels, handlers = (root.level, own.level), list(root.handlers)
    for name in (LEVEL, FORMAT):  # set once, so that they are taken back afterwards
        monkeypatch.setenv(name, "")
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    own.setLevel(levels[1])


def test_text_names_the_level_but_of_information(capsys: pytest.CaptureFixture[str]) -> None:
    configure(None, None)
    logger.debug("hidden")
    logger.info("going on")
    logger.warning("a \x1b[31mred\x1b[0m name")
    logging.getLogger("library").info("hidden")
    logging.getLogger("library").warning("shown")
    assert capsys.readouterr().err.splitlines() == [
        "going on", r"warning: a \x1b[31mred\x1b[0m name", "warning: shown"
    ]  # fmt: skip


def test_json_lines_hold_what_the_record_was_given(capsys: pytest.CaptureFixture[str]) -> None:
    configure("debug", "json")
    logger.debug("part %s", "k", extra={"stage": "clean/image"})
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logger.exception("failed")
    first, second = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert first.pop("time").endswith("+00:00")
    assert first == {
        "level": "debug", "logger": "pipeline.toy", "message": "part k", "stage": "clean/image"
    }  # fmt: skip
    assert second["traceback"].endswith("ValueError: two\nlines\n")


def test_a_worker_keeps_quiet_unless_the_command_was_told_to_speak(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure(None, None)
    configure_worker()
    logging.getLogger("library").warning("noise")
    logger.warning("noise")
    assert capsys.readouterr().err == ""
    configure("warning", None)
    configure_worker()
    logger.warning("asked for")
    assert capsys.readouterr().err == "warning: asked for\n"


def test_the_environment_speaks_where_no_option_does(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FORMAT, "json")
    said = CliRunner().invoke(app, ["check"])
    assert said.exit_code == 1
    assert "there is no params.yaml here" in json.loads(said.stderr)["message"]
    said = CliRunner().invoke(app, ["--log-format", "text", "--log-level", "error", "check"])
    assert said.stderr.startswith("error: there is no params.yaml here")
    assert os.environ[LEVEL] == "error"  # for the stages and workers that it starts


def test_an_unknown_level_is_a_mistake(inside: Path) -> None:
    said = CliRunner().invoke(app, ["check"], env={LEVEL: "loud"})
    assert said.exit_code == 2
    assert "'loud' is not one of" in said.stderr
