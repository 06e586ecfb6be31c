"""A plan of nights with faults, landings that are spoilt as planned, and projects that live on."""

from __future__ import annotations

import csv
import os
import shutil
import urllib.request
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.records import Inline, Sample
from pipeline.nightly.options import Webhook
from pipeline.nightly.repository import Failed
from pipeline.nightly.simulation import faults, project
from pipeline.nightly.simulation.faults import CALM, PLANTED, Fault, plan_faults
from pipeline.nightly.simulation.landings import (
    Piece,
    cut,
    pieces_of,
    put_landing,
    samples_of,
)
from pipeline.nightly.simulation.nights import START, World
from pipeline.nightly.simulation.project import HOOK, Remotes, hook
from pipeline.params import load
from pipeline.raw.folders import LocalFolder
from pipeline.store.trees.git import git
from tests.dataset import CLASSES, put_batch
from tests.nightly.world import World as Played
from tests.nightly.world import new_world
from tests.nightly.world import put_landing as put_texts

CALM_NIGHT = Fault("", faults.GOOD)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Played:
    return new_world(tmp_path, monkeypatch)


@pytest.fixture
def batch(world: Played) -> Path:
    folder = world.folder / "data" / "raw" / "shapes" / "all"
    put_batch(folder, 0, 20)
    return folder


@pytest.fixture
def pieces(batch: Path) -> list[Piece]:
    return pieces_of(samples_of(load(), "shapes", batch), "shape")


def test_a_plan_has_every_fault_once_and_begins_calmly() -> None:
    planted = plan_faults(30, seed=0)
    assert len(planted) == 30
    assert [each.name for each in planted[:CALM]] == [""] * CALM
    named = [each.name for each in planted if each.name]
    assert sorted(named) == sorted(each.name for each in PLANTED)
    assert plan_faults(30, seed=0) == planted
    assert plan_faults(30, seed=1) != planted


def test_nights_share_all_samples_and_no_two_have_one(batch: Path, pieces: list[Piece]) -> None:
    planted = [CALM_NIGHT, faults.NOTHING, CALM_NIGHT, faults.CORRUPT]
    nights = cut(pieces, planted, seed=0)
    ids = [row["sample_id"] for night in nights for piece in night for row in piece.rows]
    assert (len(ids), len(set(ids))) == (60, 60)
    assert [len(night) for night in nights] == [24, 0, 18, 18]
    files = {path for night in nights for piece in night for path in piece.files}
    assert files == set(LocalFolder(batch).listing.files) - {"metadata.csv"}
    assert [len(night) for night in cut(pieces, planted, 0, share=0.75)] == [18, 0, 14, 13]
    with pytest.raises(PipelineError, match="there are 30 samples or groups"):
        cut(pieces, planted, 0, share=0.5)


def test_a_drifted_night_has_one_class_and_the_others_all(pieces: list[Piece]) -> None:
    nights = cut(pieces, [CALM_NIGHT, CALM_NIGHT, faults.DRIFTED, CALM_NIGHT], seed=0)
    labels = [Counter(piece.label for piece in night) for night in nights]
    assert [each.total() for each in labels] == [24, 12, 12, 12]
    assert [len(each) > 1 for each in labels] == [True, True, False, True]
    assert sum(labels, Counter()) == dict.fromkeys(CLASSES, 20)


def test_samples_of_a_group_or_a_file_land_together() -> None:
    samples = [
        Sample("a@en", "a", {"audio": "a.ogg", "text": Inline("a café".encode(), "a.txt")}),
        Sample("a@fr", "a", {"audio": "a_fr.ogg"}, targets={"kind": "x"}),
        Sample("b", None, {"image": "shared.png"}, targets={"kind": "y"}),
        Sample("c", None, {"image": "shared.png"}, attributes={"style": None}),
        Sample("d", None, {"image": "d.png"}),
    ]
    pieces = pieces_of(samples, "kind")
    ids = [[row["sample_id"] for row in piece.rows] for piece in pieces]
    assert ids == [["a@en", "a@fr"], ["b", "c"], ["d"]]
    assert [piece.label for piece in pieces] == ["", "y", ""]
    assert pieces[0].rows[0]["text"] == "a café"
    assert pieces[0].files == {"a.ogg", "a_fr.ogg"}


def test_a_landing_is_spoilt_as_its_fault_says(batch: Path, pieces: list[Piece]) -> None:
    def land(fault: Fault) -> tuple[Path, list[dict[str, str]], set[tuple[str, str]]]:
        place = Path("inbox", fault.name or "calm")
        assets = put_landing(batch, pieces, fault, place, "shape", seed=0)
        assert (place / "_SUCCESS").is_file()
        with (place / "metadata.csv").open(encoding="utf-8", newline="") as file:
            return place, [*csv.DictReader(file)], assets

    whole, calm, assets = land(CALM_NIGHT)
    source = put_batch(Path("again"), 0, 20)
    assert [{name: row[name] for name in source[0]} for row in calm] == source
    assert Counter(name for name, _ in assets) == {
        name: sum(bool(row[column]) for row in source)
        for name, column in (
            ("image", "image_file_name"), ("audio", "audio_file_name"), ("text", "text")
        )
    }  # fmt: skip

    place, rows, assets = land(faults.MISSING)
    (hidden,) = [name for name in calm[0] if {row[name] for row in rows} == {""} and name in
                 ("image_file_name", "audio_file_name")]  # fmt: skip
    assert not [path for row in calm if row[hidden] and (path := place / row[hidden]).exists()]
    assert len({name for name, _ in assets}) == 2

    _, rows, _ = land(faults.POISONED)
    assert Counter(row["shape"] for row in rows) == Counter(row["shape"] for row in calm)
    moved = sum(row["shape"] != was["shape"] for row, was in zip(rows, calm, strict=True))
    assert moved > 30

    _, rows, _ = land(faults.SCHEMA)
    assert "shape_new" in rows[0]
    assert "shape" not in rows[0]

    place, _, _ = land(faults.CORRUPT)
    file = next(whole.glob("*.png")).name
    assert (place / file).stat().st_size == (whole / file).stat().st_size // 3


def test_a_project_lives_through_what_machines_do(world: Played) -> None:
    """Nothing, a duplicate, a full disk, a remote that is down, a crash before every state."""
    planted = [
        CALM_NIGHT,
        faults.NOTHING,
        faults.DUPLICATE,
        faults.DISK_FULL,
        faults.REMOTE_DOWN,
        *faults.CRASHES,
    ]
    remotes = Remotes(world.folder / "remotes")
    remotes.folder.mkdir()

    def push() -> None:
        if not remotes.folder.is_dir():
            raise Failed("dvc push", "the remote does not answer")

    world.push = push
    with hook() as told:
        channel = Webhook(kind="webhook", url_from=HOOK)
        options = world.options.model_copy(update={"notify": (channel,)})
        simulated = World(
            options, load, lambda params: world.telling(options.notify), told, remotes
        )
        lived = []
        for place, fault in enumerate(planted):
            if fault == faults.DUPLICATE:
                shutil.copytree("inbox/night-0", f"inbox/night-{place}")
            elif fault != faults.NOTHING:
                put_texts(f"night-{place}", 10 * place)
            lived.append(simulated.live(fault, START + timedelta(days=place)))
    assert [(night.planted, night.right, night.why) for night in lived] == [
        (fault.name, True, night.why) for fault, night in zip(planted, lived, strict=True)
    ]
    assert [night.starts for night in lived] == [1 + fault.fails for fault in planted]
    assert len(world.batches()) == len(planted) - 2
    assert len(told.told) == len(planted)


def test_a_night_that_is_not_as_it_must_be_is_known(world: Played) -> None:
    put_texts("a", 0)
    with hook() as told:
        simulated = World(
            world.options, load, lambda params: world.tools(), told, Remotes(Path("remotes"))
        )
        lived = simulated.live(CALM_NIGHT, START)
    assert lived.outcome == "promoted"
    assert not lived.right  # nobody was told


def test_a_webhook_hangs_until_it_is_let_go() -> None:
    with hook() as told:
        asked = urllib.request.Request(os.environ[HOOK], b'{"text": "a"}')
        told.answers.clear()
        with pytest.raises(TimeoutError):
            urllib.request.urlopen(asked, timeout=0.1)
        told.answers.set()
        with urllib.request.urlopen(asked, timeout=10) as answer:
            assert answer.status == 200
    assert told.told == ["a"]


def test_remotes_go_away_and_come_back(
    world: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (world.folder / ".dvc").mkdir()
    (world.folder / ".dvc" / "config").touch()
    git(world.folder, "switch", "--quiet", "--create", "nights")
    git(world.folder, "add", ".dvc/config")
    git(world.folder, "commit", "--quiet", "--message", "DVC")
    git(world.folder, "remote", "add", "origin", "elsewhere")
    remotes = Remotes(tmp_path / "remotes")
    remotes.put(world.folder)
    with remotes.gone(), pytest.raises(PipelineError):
        git(world.folder, "push", "--quiet", "origin", "HEAD")
    git(world.folder, "push", "--quiet", "origin", "HEAD")
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(project, "run_dvc", lambda *arguments: asked.append(arguments))
    remotes.clone(tmp_path / "clone")
    assert (tmp_path / "clone" / "params.yaml").is_file()
    assert asked == [("pull", "--quiet", "--remote", "store")]
