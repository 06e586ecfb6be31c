"""Data that come late, twice, wrong or not at all: each has an outcome that is defined."""

from __future__ import annotations

import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.monitoring.batch_profile import batch_profiles
from pipeline.nightly.ledger import read_ledger
from pipeline.nightly.quarantine import scan_problems
from pipeline.nightly.record import names, read_record
from pipeline.params import load
from pipeline.params.aliases import read_aliases
from pipeline.parts import manifest
from pipeline.stages.plans import clean, curate, ingest
from tests.command import call
from tests.dataset import put_batch, write_metadata
from tests.nightly.world import World, new_world, put_landing

ASKED = ("--who", "Ada", "--why", "she looked")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return new_world(tmp_path, monkeypatch)


def revision(name: str) -> str:
    asked = ["git", "rev-parse", name]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()


def test_a_batch_is_replaced_by_the_one_that_corrects_it(world: World) -> None:
    """The first goes out, the second comes in, both by a person's word, and neither is lost."""
    put_landing("a", 0)
    put_landing("b", 10)
    world.night()
    Path("inbox/a/notes.txt").write_text("corrected")
    assert world.night().verdict.outcome == "bad_data"  # type: ignore[union-attr]
    assert world.batches() == ["a", "b"], "what is in stays as it is meanwhile"
    assert call("nightly", "withdraw", "shapes/a", *ASKED)[0] == 0
    assert call("nightly", "release", "shapes/a-2", *ASKED)[0] == 0
    world.night()
    assert world.batches() == ["a-2", "b"]
    assert Path("data/raw/shapes/a-2/notes.txt").read_text() == "corrected"
    assert list(read_ledger().held()) == [("shapes", "a")]
    assert Path("data/held/shapes/a/notes.txt").read_text() == "0 to 3"
    assert call("nightly", "discard", "shapes/a", *ASKED)[0] == 0
    shutil.copytree("inbox/a", "inbox/once more")
    night = world.night()
    assert [delivery.fate for delivery in night.deliveries] == ["duplicate"]
    assert world.batches() == ["a-2", "b"]


def test_a_clock_that_is_set_back_loses_and_doubles_nothing(world: World) -> None:
    put_landing("a", 0)
    world.night()
    world.now -= timedelta(days=400)
    put_landing("b", 10)

    def set_back() -> None:
        world.now -= timedelta(hours=2)

    world.reproduce = set_back
    night = world.night()
    assert (night.run, world.batches()) == ("2025-01-27", ["a", "b"])
    assert read_record(night.run)["seconds"] == 0.0
    assert read_aliases(Path())["champion"].revision == revision("nightly/2025-01-27")
    world.reproduce = None
    world.now -= timedelta(days=1)
    put_landing("c", 20)
    assert world.night().run == "2025-01-27.2", "a day has more than one run"
    assert names() == ["2025-01-27", "2025-01-27.2", "2026-03-02"]
    assert [event.kind for event in read_ledger().events].count("taken") == 3


def test_two_nights_landings_are_two_batches_of_one_run(world: World) -> None:
    put_landing("2026-03-01", 0)
    put_landing("2026-03-02", 10)
    night = world.night()
    assert [each.batch for each in night.batches()] == ["2026-03-01", "2026-03-02"]
    assert (world.batches(), names(), world.reproduced) == (
        ["2026-03-01", "2026-03-02"],
        ["2026-03-02"],
        1,
    )


def test_a_landing_of_none_waits_and_one_without_samples_is_held(world: World) -> None:
    Path("inbox/empty").mkdir(parents=True)
    Path("inbox/empty/_SUCCESS").touch()
    night = world.night()
    assert night.left == {"shapes/empty": "there is no file in it"}
    folder = Path("inbox/rowless")
    folder.mkdir()
    (folder / "metadata.csv").write_text("sample_id,text,shape\n")
    (folder / "_SUCCESS").touch()
    problems = scan_problems
    night = world.night(problems=lambda each: problems(world.params, each.source, each.batch))
    assert night.verdict
    assert night.verdict.outcome == "bad_data"
    assert night.held()[0].why == "no sample can be made of it"
    assert (world.batches(), list(read_ledger().held())) == ([], [("shapes", "rowless")])


def test_labels_come_later_than_media(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The media come again with their labels: known they are not, nor computed again."""
    monkeypatch.chdir(project)
    folder = Path("data/raw/shapes")
    rows = put_batch(folder / "media", 200, 2)
    write_metadata(folder / "media", [{**row, "shape": ""} for row in rows])
    params = load()

    def made() -> list[str]:
        ingest.plan(params).run()
        for modality in params.modalities:
            clean.plan(params, modality).run()
        curate.plan(params).run()
        curated = manifest.read(Path("data/curated"), ["batch"])["batch"].to_pylist()
        return [batch for batch in curated if batch in ("media", "labels")]

    assert made() == [], "they are left out, and answered"
    cleaned = {path: path.stat().st_mtime_ns for path in Path("data/clean").rglob("*.parquet")}
    shutil.copytree(folder / "media", folder / "labels")
    write_metadata(folder / "labels", rows)
    assert made() == ["labels"] * 6
    now = {path: path.stat().st_mtime_ns for path in Path("data/clean").rglob("*.parquet")}
    assert now == cleaned
    (labels,) = batch_profiles(
        Path("data"), params.modalities, params.curate, [("shapes", "labels")]
    )
    assert not labels.is_known.any()
    assert not labels.is_contradicted.any()
    shutil.copytree(folder / "labels", folder / "twice")
    made()
    (twice,) = batch_profiles(Path("data"), params.modalities, params.curate, [("shapes", "twice")])
    assert twice.is_known.all()
