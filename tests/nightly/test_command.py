"""`pipeline nightly run` ends in the codes that schedulers go by, and tells people of failures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.nightly import notify as notifying
from pipeline.nightly import tools
from pipeline.nightly.repository import Failed
from pipeline.nightly.run import Busy
from tests.command import call
from tests.nightly.world import INBOX, World, new_world, put_landing

TOLD = {"notify": [{"kind": "command", "run": ["true"]}]}


@pytest.fixture
def told() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[tuple[str, str]]) -> World:
    world = new_world(tmp_path, monkeypatch, {**INBOX, **TOLD})
    monkeypatch.setattr(tools, "tools_of", lambda params, options: world.tools())

    def heard(channels: object, subject: str, text: str) -> list[Any]:
        told.append((subject, text))
        return []

    monkeypatch.setattr(notifying, "notify", heard)
    return world


def test_codes_say_what_became_of_a_night(world: World) -> None:
    assert call("nightly", "run") == (
        11,
        "2026-03-01: nothing (nothing_new)\nNothing new has landed.\n",
    )
    put_landing("a", 0)
    code, output = call("nightly", "run")
    assert (code, output.splitlines()[-1]) == (0, "It is better.")
    world.outcome = "held"
    put_landing("b", 10)
    assert call("nightly", "run")[0] == 10
    put_landing("bad", 20)
    world.problems = {"bad": "it has no sound"}
    code, output = call("nightly", "run")
    assert (code, "it has no sound" in output) == (65, True)


def test_a_machine_s_fault_is_worth_a_retry(world: World, told: list[tuple[str, str]]) -> None:
    put_landing("a", 0)
    fails = 2

    def push() -> None:
        nonlocal fails
        fails -= 1
        if fails >= 0:
            raise Failed("dvc push", "noise\nERROR: the remote does not answer\n")

    world.push = push
    code, output = call("nightly", "run")
    assert code == 75
    assert "`dvc push` failed: ERROR: the remote does not answer; the next start" in output
    ((subject, text),) = told
    assert subject.endswith(": the night failed")
    assert "does not answer" in text
    code, output = call("nightly", "run", "--retries", "1", "--backoff", "0")
    assert (code, len(told)) == (0, 1)
    assert "again in 0 s" in output


def test_a_mistake_is_no_machine_s_fault(world: World) -> None:
    Path(".gitignore").write_text("x")
    assert call("nightly", "run")[0] == 2
    Path("nightly.yaml").write_text("model: none\ninbox: {others: {root: x, ready: soon}}\n")
    code, output = call("nightly", "run")
    assert code == 2
    assert "inbox.others.ready: Input should be 'marker', 'manifest' or 'age'" in output
    Path("nightly.yaml").write_text("model: none\ninbox: {others: {root: x}}\n")
    _, output = call("nightly", "run")
    assert "inbox.others: unknown source 'others'; there are: shapes" in output
    assert "model: unknown model 'none'; there are: gated, image" in output
    Path("nightly.yaml").unlink()
    code, output = call("nightly", "run")
    assert (code, "there is no nightly.yaml" in output) == (2, True)


def test_another_run_at_work_is_no_failure_to_tell_of(
    world: World, told: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*arguments: object, **options: object) -> None:
        raise Busy("another night is at work: wait for it to end")

    monkeypatch.setattr("pipeline.nightly.run.run", busy)
    code, output = call("nightly", "run")
    assert (code, told) == (75, [])
    assert "another night is at work" in output


def test_a_dry_run_says_what_would_come_in_and_touches_nothing(world: World) -> None:
    assert call("nightly", "run", "--dry-run") == (0, "nothing new has landed\n")
    put_landing("a", 0)
    put_landing("b", 10, ready=False)
    before = sorted(path for path in Path().rglob("*") if ".git" not in path.parts)
    code, output = call("nightly", "run", "--dry-run")
    assert code == 0
    rows = [line.split("\t")[:3] for line in output.splitlines()[1:3]]
    assert rows == [["shapes/a", "data/raw/shapes/a", "2"], ["shapes/b", "left", ""]]
    assert "2 files (1 other, 1 text); no run has been yet" in output
    assert sorted(path for path in Path().rglob("*") if ".git" not in path.parts) == before
    assert call("nightly", "run")[0] == 0
    put_landing("c", 20)
    (put_landing("d", 30) / "link.png").symlink_to("/dev/null")
    output = call("nightly", "run", "--dry-run")[1]
    assert "2 files (1 other, 1 text); by past runs about 0 rows to compute and 0 CPU-s" in output


def test_missed_nights_are_a_run_each(world: World) -> None:
    for number, name in enumerate(("a", "b", "c")):
        put_landing(name, 10 * number)
    assert call("nightly", "run", "--backfill")[0] == 0
    assert [len(night.deliveries) for night in world.told] == [1, 1, 1, 0]
