"""What landed comes in once, whatever dies when; what must stay out is held; one run at a time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_file
from pipeline.core.records import Reject
from pipeline.nightly import arrival, journal, quarantine, repository
from pipeline.nightly import run as running
from pipeline.nightly.ledger import read_ledger
from pipeline.nightly.record import names, read_record
from pipeline.nightly.repository import Failed
from pipeline.params.aliases import read_aliases
from pipeline.parts import refusals
from pipeline.stages import add
from tests.nightly.world import World, give_to_dvc, new_world, put_landing


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return new_world(tmp_path, monkeypatch)


def git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_a_night_takes_what_is_whole_and_moves_the_pointer(world: World) -> None:
    put_landing("2026-03-01", 0)
    put_landing("2026-03-02", 10, ready=False)
    night = world.night()
    assert night.verdict
    assert (night.verdict.outcome, night.state) == ("promoted", "notified")
    assert night.left == {"shapes/2026-03-02": "there is no _SUCCESS yet"}
    assert world.batches() == ["2026-03-01"]
    batch = Path("data", "raw", "shapes", "2026-03-01")
    assert sorted(path.name for path in batch.iterdir()) == ["metadata.csv", "notes.txt"]
    champion = read_aliases(Path())["champion"]
    assert (champion.model, champion.revision) == ("gated", git("rev-parse", "nightly/2026-03-02"))
    committed = git("show", "--name-only", "--format=", "nightly/2026-03-02").split()
    assert committed == ["data/raw/shapes/2026-03-01.dvc", "dvc.lock"]
    committed = git("show", "--name-only", "--format=", "HEAD").split()
    assert committed == ["aliases.yaml", "nightly/ledger.jsonl", "nightly/runs/2026-03-02.parquet"]
    assert not git("status", "--porcelain")
    assert [event.kind for event in read_ledger().events] == ["taken", "promoted"]
    record = read_record("2026-03-02")
    assert (record["outcome"], record["landed_files"]) == ("promoted", 2)
    assert record["revision"] == champion.revision
    assert (world.pushed, len(world.told), world.reports) == (1, 1, 1)
    assert not journal.JOURNAL.exists()


def test_a_night_without_anything_says_so_and_commits_nothing(world: World) -> None:
    before = git("rev-parse", "HEAD")
    night = world.night()
    assert night.verdict
    assert night.verdict.outcome == "nothing"
    assert (git("rev-parse", "HEAD"), world.reproduced) == (before, 0)
    assert names() == ["2026-03-02"]
    put_landing("late", 0)
    world.night()
    assert (world.batches(), names()) == (["late"], ["2026-03-02", "2026-03-03"])


def test_what_is_not_promoted_leaves_the_pointer_and_keeps_the_data(world: World) -> None:
    put_landing("a", 0)
    world.night()
    champion = read_aliases(Path())
    world.outcome = "held"
    put_landing("b", 10)
    night = world.night()
    assert night.verdict
    assert night.verdict.outcome == "held"
    assert (read_aliases(Path()), world.batches()) == (champion, ["a", "b"])
    assert [event.kind for event in read_ledger().events] == ["taken", "promoted", "taken", "kept"]


def test_the_same_files_twice_come_in_once(world: World) -> None:
    put_landing("a", 0)
    shutil.copytree("inbox/a", "inbox/a-copy")
    night = world.night()
    assert [delivery.fate for delivery in night.deliveries] == ["taken", "duplicate"]
    assert "the same files as a of tonight" in night.deliveries[1].why
    shutil.copytree("inbox/a", "inbox/again")
    os.utime("inbox/a/notes.txt", (1, 1))  # delivered again, under the same name
    night = world.night()
    assert [delivery.fate for delivery in night.deliveries] == ["duplicate", "duplicate"]
    assert night.verdict
    assert night.verdict.outcome == "nothing"
    assert world.batches() == ["a"]
    head = git("rev-parse", "HEAD")
    world.night()
    assert (git("rev-parse", "HEAD"), world.reproduced) == (head, 1)


def test_other_files_under_a_known_name_wait_for_a_person(world: World) -> None:
    put_landing("a", 0)
    world.night()
    Path("inbox/a/notes.txt").write_text("corrected")
    night = world.night()
    assert night.verdict
    assert night.verdict.outcome == "bad_data"
    assert world.batches() == ["a"]
    assert "other files came in under this name before" in night.deliveries[0].why
    assert Path("data/held/shapes/a-2/notes.txt").read_text() == "corrected"


def test_a_batch_that_fails_the_contract_is_held_and_the_night_goes_on(world: World) -> None:
    put_landing("bad", 0)
    put_landing("good", 10)
    world.problems = {"bad": "half of its sound is missing"}
    night = world.night()
    assert night.verdict
    assert night.verdict.outcome == "promoted"
    assert world.batches() == ["good"]
    assert quarantine.is_in(Path("data/held/shapes/bad"))
    held = read_ledger().held()["shapes", "bad"]
    assert held.why == "half of its sound is missing"
    assert not git("status", "--porcelain")
    assert "data/held/shapes/bad.dvc" in git("ls-files")


def test_what_no_batch_may_hold_stays_in_its_inbox(world: World) -> None:
    put_landing("a", 0)
    Path("inbox/a/out.png").symlink_to("/etc/hostname")
    night = world.night()
    assert night.verdict
    assert night.verdict.outcome == "bad_data"
    assert "out.png: the link leads out" in read_ledger().held()["shapes", "a"].why
    assert not Path("data/raw/shapes/a").exists()
    assert world.night().verdict.outcome == "nothing"  # type: ignore[union-attr]


def test_a_delivery_that_came_damaged_is_held_until_it_comes_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = {"shapes": {"root": "inbox", "ready": "manifest"}}
    world = new_world(tmp_path, monkeypatch, {"inbox": inbox, "model": "gated"})
    folder = put_landing("a", 0, ready=False)
    sums = [f"{digest_file(path)}  {path.name}" for path in folder.iterdir()]
    (folder / "SHA256SUMS").write_text("\n".join(sums))
    (folder / "notes.txt").write_text("0 to 4")
    night = world.night()
    assert night.verdict
    assert night.verdict.outcome == "bad_data"
    assert "notes.txt is not what the manifest says" in night.held()[0].why
    assert not Path("data/raw/shapes/a").exists()
    (folder / "notes.txt").write_text("0 to 3")
    world.night()
    assert (world.batches(), read_ledger().held()) == (["a"], {})


def test_a_batch_that_the_graph_fails_for_is_held(world: World) -> None:
    put_landing("a", 0)
    world.night()
    put_landing("poison", 10)

    def fail_with_poison() -> None:
        if "poison" in world.batches():
            raise Failed("dvc repro", "error: ingest refused 7 of 9 samples\nERROR: failed")

    world.reproduce = fail_with_poison
    night = world.night()
    assert night.verdict
    assert night.verdict.outcome == "bad_data"
    assert night.held()[0].why == "`dvc repro` failed with it: ingest refused 7 of 9 samples"
    assert (world.batches(), Path("dvc.lock").read_text()) == (["a"], "# a\n")


def test_a_full_disk_blames_no_batch_and_the_next_start_goes_on(world: World) -> None:
    put_landing("a", 0)

    def fail() -> None:
        raise Failed("dvc repro", "OSError: No space left on device")

    world.reproduce = fail
    with pytest.raises(Failed, match="No space left"):
        world.night()
    world.reproduce = None
    put_landing("b", 10)
    assert [delivery.landing for delivery in world.night().deliveries] == ["b"]
    assert (world.batches(), names()) == (["a", "b"], ["2026-03-02", "2026-03-03"])


def test_a_graph_that_fails_without_new_data_is_the_project_s(world: World) -> None:
    put_landing("a", 0)

    def fail() -> None:
        raise Failed("dvc repro", "error: models.gated: no such tower")

    world.reproduce = fail
    with pytest.raises(PipelineError, match=r"fails without tonight's data.*no such tower"):
        world.night()


def test_a_remote_that_is_down_costs_the_push_alone(world: World) -> None:
    put_landing("a", 0)

    def fail() -> None:
        raise Failed("dvc push", "the remote does not answer")

    world.push = fail
    with pytest.raises(Failed, match="does not answer"):
        world.night()
    assert read_aliases(Path())["champion"].model == "gated"
    world.push = None
    night = world.night()
    assert (night.run, night.state, world.pushed) == ("2026-03-02", "notified", 1)


def test_a_remote_that_stays_down_keeps_no_landing_waiting(world: World) -> None:
    put_landing("a", 0)

    def fail() -> None:
        raise Failed("dvc push", "the remote does not answer")

    world.push = fail
    for _ in range(2):
        with pytest.raises(Failed, match="does not answer"):
            world.night()
    assert (world.told, world.batches()) == ([], ["a"])
    put_landing("b", 10)
    with pytest.raises(Failed, match="does not answer"):
        world.night()
    assert [night.run for night in world.told] == ["2026-03-02"]
    assert (world.batches(), names()) == (["a", "b"], ["2026-03-02", "2026-03-04"])
    world.push = None
    assert world.night().run == "2026-03-04"
    assert [night.run for night in world.told] == ["2026-03-02", "2026-03-04"]
    assert not journal.JOURNAL.exists()


def test_data_of_nights_that_were_not_pushed_go_with_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".dvc").mkdir()
    Path(".dvc/config").write_text("[core]\n    analytics = false\n")
    Path(".dvc/config.local").write_text("['remote \"store\"']\n    url = /store\n")
    git("add", ".dvc/config")
    git("commit", "--quiet", "--message", "DVC")
    pushed: list[list[str]] = []

    def dvc(*arguments: str) -> None:
        assert arguments == ("push", "--quiet", "--remote", "store")
        assert "/store" in Path(".dvc/config.local").read_text()
        pushed.append(sorted(path.stem for path in Path("data/raw/shapes").glob("*.dvc")))

    monkeypatch.setattr(repository, "run_dvc", dvc)
    git("init", "--quiet", "--bare", "remote.git")
    for number in range(4):
        put_landing(f"{number}", 10 * number)
        world.night()
        if number in (1, 3):
            repository.push("store", "remote.git")
    assert pushed == [["0"], ["0", "1"], ["0", "1", "2"], ["0", "1", "2", "3"]]
    assert len(git("ls-remote", "--tags", "remote.git").splitlines()) == 4
    with pytest.raises(Failed, match="git push nowhere"):
        repository.push("", "nowhere")


class Killed(BaseException):
    """As SIGKILL: nothing of the run's is called after it."""


def everything(world: World) -> dict[str, object]:
    """What must be the same however often a run was killed."""
    return {
        "batches": world.batches(),
        "files": sorted(
            (str(path), path.read_bytes())
            for path in Path("data").rglob("*")
            if path.is_file() and path.name != ".dvcignore"
        ),
        "lock": Path("dvc.lock").read_text(),
        "events": [(event.kind, event.landing, event.batch) for event in read_ledger().events],
        "commits": git("log", "--format=%s").splitlines(),
        "tree": git("status", "--porcelain"),
        "tags": git("tag").splitlines(),
        "champion": git("log", "-1", "--format=%s", read_aliases(Path())["champion"].revision),
        "records": names(),
        "held": sorted(read_ledger().held()),
    }


REFUSED = Reject("ingest", "shapes", "poison", "row", "metadata.csv:2", "", "bad_row", "no row")
# Of a batch that is not to blame.
LEFT_OUT = Reject("curate", "shapes", "a", "sample", "s0", "", "no_target", "it has no target")


def put_everything(world: World) -> None:
    """A good landing, two that must be held, and the first once more."""
    put_landing("a", 0)
    put_landing("bad", 10)
    shutil.copytree("inbox/a", "inbox/copy")
    put_landing("poison", 20)
    world.problems = {"bad": "it has no sound"}
    world.odd = {"a": {"s1": "its label is none"}}

    def fail_with_poison() -> None:
        if "poison" in world.batches():
            refusals.keep("ingest", [REFUSED, LEFT_OUT])
            raise Failed("dvc repro", "error: too many refused")
        refusals.forget("ingest")

    world.reproduce = fail_with_poison
    world.outcome = "promoted"


# What such a night tells its journal, the last being that people were told.
SAVES = 19
HELD = [("shapes", "a/s1"), ("shapes", "bad"), ("shapes", "poison")]
# Where a run may be killed: before or after the journal says that a state was reached, and at what
# it does to the world between.
KILLS = [
    *((journal, "save", number, False) for number in range(1, SAVES + 1)),
    *((add, "_give_to_dvc", number, late) for number in (1, 2, 3) for late in (False, True)),
    *((quarantine, "write_held", number, late) for number in (1, 2) for late in (False, True)),
    *((quarantine, "_move", number, late) for number in (1, 2) for late in (False, True)),
    *((repository, "commit", number, late) for number in (1, 2) for late in (False, True)),
    (repository, "tag", 1, True),
    (running, "write_aliases", 1, True),
    (running, "write_ledger", 1, True),
    (running, "write_record", 1, True),
    (journal, "close", 1, False),
]


@pytest.fixture(scope="module")
def unharmed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    with pytest.MonkeyPatch.context() as patch:
        world = new_world(tmp_path_factory.mktemp("unharmed"), patch)
        put_everything(world)
        world.night()
        return everything(world)


@pytest.mark.parametrize(("module", "name", "number", "late"), KILLS)
def test_a_run_that_is_killed_anywhere_ends_as_if_it_had_not_been(
    world: World,
    unharmed: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
    module: object,
    name: str,
    number: int,
    late: bool,
) -> None:
    put_everything(world)
    calls = 0
    real = getattr(module, name)

    def killed(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == number and not late:
            raise Killed
        result = real(*arguments)
        if calls == number:
            raise Killed
        return result

    with monkeypatch.context() as patch:
        patch.setattr(module, name, killed)
        if module is journal and name == "save":
            patch.setattr(arrival, "save", killed)
        with pytest.raises(Killed):
            world.night()
    assert calls == number
    world.now = world.now.replace(day=1)
    world.night()
    assert everything(world) == unharmed | {"records": everything(world)["records"]}
    assert "2026-03-02" in names()
    assert (unharmed["batches"], unharmed["held"]) == (["a"], HELD)


def test_two_at_once_are_one(world: World) -> None:
    code = (
        "import sys, time; from pathlib import Path; from pipeline.core.files.lock import locked\n"
        "with locked(Path('nightly')): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        put_landing("a", 0)
        with pytest.raises(running.Busy):
            world.night()
        other.kill()
    assert world.night().verdict.outcome == "promoted"  # type: ignore[union-attr]


def test_a_run_does_not_begin_on_changes_that_it_would_not_commit(world: World) -> None:
    Path(".gitignore").write_text("x\n")
    with pytest.raises(PipelineError, match=r"commit these.*: \.gitignore"):
        world.night()


def test_a_run_does_not_go_on_where_another_commit_is_checked_out(world: World) -> None:
    put_landing("a", 0)

    def fail() -> None:
        raise Failed("dvc repro", "No space left")

    world.reproduce = fail
    with pytest.raises(Failed):
        world.night()
    git("commit", "--allow-empty", "--quiet", "--message", "a person's")
    with pytest.raises(PipelineError, match="is not what it began on"):
        world.night()
    answers = Path("data/answers/2026-03-02.parquet")
    answers.parent.mkdir()
    answers.touch()
    give_to_dvc(answers)
    running.abandon()
    assert (world.batches(), git("status", "--porcelain")) == ([], "")
    assert not answers.exists()
    world.reproduce = None
    world.night()
    assert world.batches() == ["a"]


def test_missed_nights_are_taken_one_by_one(world: World) -> None:
    for name in ("9", "10", "11"):
        put_landing(name, int(name) * 10)
    for name in ("9", "10", "11"):
        assert [delivery.landing for delivery in world.night(one=True).deliveries] == [name]
    assert names() == ["2026-03-02", "2026-03-03", "2026-03-04"]


def test_a_journal_says_the_state_in_plain_json(world: World) -> None:
    put_landing("a", 0)

    def fail() -> None:
        raise Failed("dvc repro", "No space left")

    world.reproduce = fail
    with pytest.raises(Failed):
        world.night()
    stated = json.loads(journal.JOURNAL.read_text())
    assert (stated["state"], stated["deliveries"][0]["fate"]) == ("checked", "taken")


def test_give_to_dvc_is_what_add_calls() -> None:
    """The tests play it: so its name must be the one that is played."""
    assert callable(add._give_to_dvc)
    assert give_to_dvc is not add._give_to_dvc
