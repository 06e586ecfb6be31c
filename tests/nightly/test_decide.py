"""People decide about runs and batches, in one commit each, with who and why."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import PipelineError
from pipeline.nightly import decide
from pipeline.nightly.ledger import read_ledger
from pipeline.params.aliases import read_aliases
from tests.command import call
from tests.nightly.world import START, World, new_world, put_landing

BY: dict[str, Any] = {"who": "Ada", "why": "she looked", "now": START}
ASKED = ("--who", "Ada", "--why", "she looked")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Two nights that were promoted, and a batch that was held."""
    world = new_world(tmp_path, monkeypatch)
    put_landing("a", 0)
    world.night()
    put_landing("b", 10)
    put_landing("bad", 20)
    world.problems = {"bad": "it has no sound"}
    world.night()
    return world


class _Models:
    """What a revision has, where no DVC was."""

    def names(self, folder: str) -> list[str]:
        return ["gated", "image"]


@pytest.fixture
def modelled(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(decide.Revision, "at", lambda *arguments: _Models())
    return world


def revision(run: str) -> str:
    asked = ["git", "rev-parse", f"nightly/{run}"]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()


def last_message() -> str:
    asked = ["git", "log", "-1", "--format=%B"]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout


def test_a_rollback_is_one_command_and_computes_nothing(world: World) -> None:
    assert read_aliases(Path())["champion"].revision == revision("2026-03-03")
    before = world.reproduced
    code, output = call("nightly", "rollback", "2026-03-03", *ASKED)
    assert code == 0, output
    assert read_aliases(Path())["champion"].revision == revision("2026-03-02")
    assert world.reproduced == before
    assert "Roll back run 2026-03-03" in last_message()
    assert "Decided-By: Ada" in last_message()
    code, output = call("nightly", "rollback", "2026-03-03", *ASKED)
    assert (code, "not that of run 2026-03-03" in output) == (1, True)
    code, output = call("nightly", "rollback", "2026-03-02", *ASKED)
    assert (code, "named nothing before" in output) == (1, True)
    code, output = call("nightly", "rollback", "2026-03-09", *ASKED)
    assert (code, "was never promoted" in output) == (1, True)


def test_a_person_promotes_a_run_and_further_aliases(modelled: World) -> None:
    assert call("nightly", "promote", "2026-03-02", *ASKED)[0] == 0
    assert read_aliases(Path())["champion"].revision == revision("2026-03-02")
    other = ("--alias", "next", "--model", "image")
    assert call("nightly", "promote", "2026-03-03", *ASKED, *other)[0] == 0
    aliases = read_aliases(Path())
    assert (aliases["next"].model, aliases["next"].revision) == ("image", revision("2026-03-03"))
    assert aliases["champion"].revision == revision("2026-03-02")
    code, output = call("nightly", "promote", "2026-03-02", *ASKED)
    assert (code, "already" in output) == (1, True)
    code, output = call("nightly", "promote", "2026-03-02", *ASKED, "--model", "none")
    assert (code, "unknown model 'none'; there are: gated, image" in output) == (1, True)
    events = [(event.kind, event.who, event.alias) for event in read_ledger().events[-2:]]
    assert events == [("promoted", "Ada", "champion"), ("promoted", "Ada", "next")]


def test_a_run_is_held_unless_it_is_in_use(world: World) -> None:
    assert call("nightly", "hold", "2026-03-02", *ASKED)[0] == 0
    code, output = call("nightly", "hold", "2026-03-03", *ASKED)
    assert (code, "`pipeline nightly rollback 2026-03-03` takes it back" in output) == (1, True)
    assert read_ledger().events[-1].kind == "kept"


def test_what_is_held_is_released_by_the_next_run(world: World) -> None:
    code, output = call("nightly", "held")
    assert code == 0
    assert "shapes/bad\tbad\t2026-03-03\tnightly run\tit has no sound" in output
    assert call("nightly", "release", "shapes/bad", *ASKED)[0] == 0
    assert call("nightly", "held")[1] == "nothing is held\n"
    world.night()
    assert world.batches() == ["a", "b", "bad"]
    assert [event.kind for event in read_ledger().events][-2:] == ["taken", "promoted"]
    assert not Path("data/held/shapes/bad").exists()
    assert world.night().verdict.outcome == "nothing"  # type: ignore[union-attr]


def test_what_is_discarded_never_comes_in(world: World) -> None:
    assert call("nightly", "discard", "shapes/bad", *ASKED)[0] == 0
    assert not Path("data/held/shapes/bad").exists()
    assert not Path("data/held/shapes/bad.dvc").exists()
    assert world.night().verdict.outcome == "nothing"  # type: ignore[union-attr]
    put_landing("bad-again", 20)
    assert world.night().deliveries[0].fate == "duplicate"
    code, output = call("nightly", "release", "shapes/bad", *ASKED)
    assert (code, "unknown held batch 'shapes/bad'; there are: none" in output) == (1, True)


def test_a_batch_that_came_in_is_withdrawn(world: World) -> None:
    assert call("nightly", "withdraw", "shapes/a", *ASKED)[0] == 0
    assert world.batches() == ["b"]
    assert ("shapes", "a") in read_ledger().held()
    assert Path("data/held/shapes/a/metadata.csv").is_file()
    code, output = call("nightly", "withdraw", "shapes/a", *ASKED)
    assert (code, "there are: shapes/b" in output) == (1, True)


def test_nobody_decides_without_a_name_and_a_reason(world: World) -> None:
    with pytest.raises(PipelineError, match="--who and --why"):
        decide.release("shapes", "bad", who=" ", why="x", now=START)
    code, output = call("nightly", "release", "bad", *ASKED)
    assert (code, "give SOURCE/BATCH" in output) == (1, True)


def test_history_shows_every_run(world: World) -> None:
    code, output = call("nightly", "history")
    rows = [line.split("\t")[:3] for line in output.splitlines()]
    assert code == 0
    assert rows[1:] == [["2026-03-03", "promoted", "rule"], ["2026-03-02", "promoted", "rule"]]
    code, output = call("nightly", "show", "2026-03-03")
    assert (code, "it has no sound" in output) == (0, True)
    code, output = call("nightly", "show", "2026-03-09")
    assert (code, "unknown run '2026-03-09'" in output) == (1, True)
    code, output = call("nightly", "status")
    assert code == 0
    assert "last run\t2026-03-03: promoted" in output
    assert "held\tshapes/bad" in output
