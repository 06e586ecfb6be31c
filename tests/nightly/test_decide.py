"""People decide about runs and batches, in one commit each, with who and why."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
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
    assert (code, "unknown held batch or sample 'shapes/bad'; there are: none" in output) == (
        1,
        True,
    )


@pytest.fixture
def odd(world: World) -> World:
    """A third night with a batch of which two samples are held."""
    put_landing("c", 30)
    world.odd = {"c": {"s30": "no such label", "s31": "far too long"}}
    world.night()
    return world


def held_names() -> list[str]:
    """What `held` lists, the batch `bad` apart."""
    lines = call("nightly", "held")[1].splitlines()[1:]
    return sorted({line.split("\t")[0] for line in lines} - {"shapes/bad"})


def test_samples_are_held_released_and_discarded_one_by_one(odd: World) -> None:
    record = Path("data/raw/shapes/held.csv")
    assert held_names() == ["shapes/c/s30", "shapes/c/s31"]
    assert record.read_text() == "batch,sample,why\nc,s30,no such label\nc,s31,far too long\n"
    assert odd.batches() == ["a", "b", "c"], "the rest of the batch goes on"
    assert "held\tshapes/bad, 2 sample(s) of shapes/c" in call("nightly", "status")[1]
    assert call("nightly", "discard", "shapes/c/s31", *ASKED)[0] == 0
    assert held_names() == ["shapes/c/s30"]
    assert len(record.read_text().splitlines()) == 3, "what is discarded stays out"
    assert call("nightly", "release", "shapes/c/s30", *ASKED)[0] == 0
    assert record.read_text() == "batch,sample,why\nc,s31,far too long\n"
    assert (held_names(), "Release shapes/c/s30" in last_message()) == ([], True)
    assert not odd.night().deliveries, "no batch comes in anew"
    told = [(event.kind, event.who, event.name) for event in read_ledger().events if event.sample]
    assert told == [
        ("held", "nightly run", "c/s30"),
        ("held", "nightly run", "c/s31"),
        ("discarded", "Ada", "c/s31"),
        ("released", "Ada", "c/s30"),
    ]


def test_all_held_samples_of_a_batch_are_named_by_it(odd: World) -> None:
    assert call("nightly", "release", "shapes/c", *ASKED)[0] == 0
    assert (held_names(), Path("data/raw/shapes/held.csv").exists()) == ([], False)
    code, output = call("nightly", "release", "shapes/c", *ASKED)
    assert (code, "there are: shapes/bad" in output) == (1, True)


def test_with_a_batch_go_its_samples(odd: World) -> None:
    """Withdrawn they wait with it, discarded they are gone."""
    assert call("nightly", "withdraw", "shapes/c", *ASKED)[0] == 0
    assert held_names() == ["shapes/c", "shapes/c/s30", "shapes/c/s31"]
    assert call("nightly", "discard", "shapes/c", *ASKED)[0] == 0
    assert held_names() == []


def test_a_sample_that_came_in_is_withdrawn(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    known = pa.table({"sample_id": ["shapes/a/s0", "shapes/a/s1"]})
    monkeypatch.setattr(decide.manifest, "read", lambda *arguments: known)
    assert call("nightly", "withdraw", "shapes/a/s1", *ASKED)[0] == 0
    assert (held_names(), world.batches()) == (["shapes/a/s1"], ["a", "b"])
    assert "a,s1,she looked" in Path("data/raw/shapes/held.csv").read_text()
    code, output = call("nightly", "withdraw", "shapes/a/s9", *ASKED)
    assert (code, "data/samples has no shapes/a/s9" in output) == (1, True)


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
